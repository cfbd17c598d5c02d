"""The picture of the demo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr


def draw_mean_responses(betas: xr.DataArray, rois: xr.DataArray, path: Path) -> None:
    """Draw the mean response of every ROI, one panel row of points coloured by category.

    Parameters
    ----------
    betas : DataArray
        (trial, voxel), float32.
    rois : DataArray
        (label, voxel), bool, on the same voxel axis, with the coordinate ``category``.
    path : Path
        PNG file to write.
    """
    from matplotlib.figure import Figure

    responses = [betas.isel(voxel=rois.sel(label=label).values).mean("voxel") for label in rois.label]
    means = [float(response.mean()) for response in responses]
    errors = [float(response.std(ddof=1) / response.count() ** 0.5) for response in responses]
    labels, categories = rois.label.values.tolist(), rois.category.values.tolist()
    order = sorted(range(len(labels)), key=lambda i: (categories[i], labels[i]))
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    axes = figure.subplots()
    for n, category in enumerate(sorted(set(categories))):
        at = [place for place, i in enumerate(order) if categories[i] == category]
        axes.errorbar(
            at,
            [means[order[place]] for place in at],
            yerr=[errors[order[place]] for place in at],
            fmt="o",
            color=f"C{n}",
            label=category,
        )
    axes.axhline(0, color="0.8", linewidth=1, zorder=0)
    axes.set_xticks(range(len(order)), [labels[i] for i in order], rotation=90)
    axes.set_ylabel(f"mean response ({betas.attrs['units']})")
    axes.set_title(f"Mean response per region, {betas.sizes['trial']} trials; bars: standard error over trials")
    axes.legend(ncols=4, fontsize="small", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
