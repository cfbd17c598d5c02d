"""The pictures of the demo."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

_SHOWN = 4  # images in a row
_COLORS = ("C3", "C0")
_WIDTH = 26  # letters in a line of a caption


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


def draw_images_and_responses(
    responses: xr.DataArray, image: Callable[[str], Any], caption: Callable[[str], str], region: str, path: Path
) -> None:
    """Draw the images that a region answers most and least, with their captions, beside the answers to all images.

    Parameters
    ----------
    responses : DataArray, shape (image, voxel)
        Mean over the repetitions of each image.
    image, caption : callable
        Return the picture and the caption of an image by its name.
    region : str
        Name of the region, for the title.
    path : Path
        PNG file to write.
    """
    from matplotlib.figure import Figure

    means = responses.mean("voxel")
    means = means.sortby(means, ascending=False)
    names, values = means["image"].values.tolist(), means.values
    rows = {"most": range(_SHOWN), "least": range(len(names) - _SHOWN, len(names))}
    figure = Figure(figsize=(12, 6), layout="constrained")
    grid = figure.add_gridspec(len(rows), 1 + _SHOWN, width_ratios=[1.6, *[1] * _SHOWN])
    axes = figure.add_subplot(grid[:, 0])
    axes.plot(values, range(len(names)), ".", color="0.7", label="every image")
    for color, places in zip(_COLORS, rows.values(), strict=True):
        axes.plot(values[places], places, "o", color=color)
    axes.invert_yaxis()
    axes.set_ylabel("images, the strongest response first")
    axes.set_xlabel(f"mean response of {region} ({responses.attrs['units']})")
    axes.spines[["top", "right"]].set_visible(False)
    for row, (color, (word, places)) in enumerate(zip(_COLORS, rows.items(), strict=True)):
        for column, place in enumerate(places, 1):
            panel = figure.add_subplot(grid[row, column])
            panel.imshow(image(names[place]))
            panel.set_title(f"{values[place]:+.2f}", color=color)
            panel.set_xlabel(textwrap.fill(caption(names[place]), _WIDTH), fontsize="small")
            panel.set(xticks=[], yticks=[])
            if column == 1:
                panel.set_ylabel(f"{word} response", color=color)
    figure.suptitle(f"What {region} answers to: {len(names)} images, {responses.sizes['voxel']} voxels")
    figure.savefig(path, dpi=120)
