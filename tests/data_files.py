"""Files of the miniature, where they are, whether anybody wrote them, and what their remote has instead."""

import shutil
from contextlib import contextmanager

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.templates import local_path
from laion_fmri.download import download
from laion_fmri.local import artifact_source

FOLDER = "derivatives/glmsingle-tedana/sub-03/ses-01/func"
BETAS = f"{FOLDER}/sub-03_ses-01_task-images_space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz"
TRIALS = f"{FOLDER}/sub-03_ses-01_task-images_desc-SingletrialBetas_trials.tsv"
MODEL = f"{FOLDER}/sub-03_ses-01_task-images_space-T1w_desc-GLMsingle_model.h5"
SIDECAR = BETAS.replace("nii.gz", "json")
ROI = "derivatives/rois/sub-03/laion/sub-03_space-T1w_res-1pt8_label-laion-lateral_mask.nii.gz"  # - goes locally
IMAGES = "stimuli/task-images_stimuli.h5"


def place(root, key):
    """Return where a key lands."""
    return root / local_path(key, load_catalog().entities)


def download_session(n_jobs=8):
    """Download some files of a session, and the ROI."""
    artifact_source("rois")(subject="03", category="laion", res="1pt8", label="laion-lateral").download()
    return download("sub-03", ses="01", suffix=["statmap", "trials", "model"], n_jobs=n_jobs)


def copy_session(miniature, root):
    """Copy the files of a session, and the ROI, to where a download puts them."""
    for path in [*(miniature / FOLDER).iterdir(), miniature / ROI]:
        if path.is_file():
            target = place(root, path.relative_to(miniature).as_posix())
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def stamps(root):
    """Return what tells whether anybody wrote a file, of all data files."""
    found = {path: path.stat() for path in root.rglob("*") if path.is_file() and ".laion_fmri" not in path.parts}
    return {path: (stat.st_ino, stat.st_mtime_ns, stat.st_size) for path, stat in found.items()}


@contextmanager
def replaced(server, key, body=None):
    """Give an object another content, or none, while the block runs."""
    where = {"Bucket": server.bucket, "Key": key}
    before = server.owner.get_object(**where)["Body"].read()
    try:
        if body is None:
            server.owner.delete_object(**where)
        else:
            server.owner.put_object(**where, Body=body, ACL="public-read")
        yield
    finally:
        server.owner.put_object(**where, Body=before, ACL="public-read")
