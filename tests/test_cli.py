"""The command line as a user meets it: most of it in a process of its own, against the miniature's bucket."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import click
import pytest

from laion_fmri import errors
from laion_fmri.catalog import catalog_path, load_catalog
from laion_fmri.catalog.check import read_catalog
from laion_fmri.cli import main
from laion_fmri.cli.app import COMMANDS
from laion_fmri.cli.download import download_command
from laion_fmri.cli.ls import ls_command
from laion_fmri.signatures import download_signature
from laion_fmri.storage.plan import Action

ONE_SESSION = ["download", "--subject", "sub-03", "--ses", "ses-01"]
PROGRAM = [sys.executable, "-m", "laion_fmri.cli"]
Ended = namedtuple("Ended", "code out err")


def run(*words, answer=None):
    """Run the command line in a process of its own; without an answer there is no standard input."""
    stdin = {"stdin": subprocess.DEVNULL} if answer is None else {"input": answer}
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, timeout=120, check=False, **stdin)
    assert "Traceback" not in done.stderr
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def cli(capsys):
    """Run the command line in this process."""

    def call(*words):
        capsys.readouterr()
        code = main(words)
        return Ended(code, *capsys.readouterr())

    return call


def downloaded(folder):
    return [path for path in folder.rglob("*") if path.is_file() and ".laion_fmri" not in path.parts]


def help_of(command):
    return " ".join(command.get_help(click.Context(command, info_name=command.name)).split())


@pytest.fixture
def dead_endpoint(monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    return endpoint


# ---------------------------------------------------------------- help, version, start


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_without_a_command_the_help_names_all_of_them(words):
    ended = run(*words)
    assert ended.code == 0
    assert all(f"\n  {name} " in ended.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists_and_has_help(cli, name):
    ended = cli(name, "--help")
    assert ended.code == 0
    assert ended.out.startswith(f"Usage: laion-fmri {name}")


def test_the_version_is_that_of_the_package(cli):
    from laion_fmri import __version__

    assert cli("--version") == (0, f"laion-fmri {__version__}\n", "")


@pytest.mark.parametrize("words", ["--help", "--version", "download --help", "ls --help", "cite"])
def test_help_loads_nothing_heavy(words):
    code = "import sys; from laion_fmri.cli import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, *words.split()], capture_output=True, text=True, check=True)
    heavy = {"numpy", "pandas", "xarray", "boto3", "botocore", "intake", "rich", "jinja2", "dask", "nibabel"}
    assert not heavy & set(done.stderr.split())


def test_a_download_loads_nothing_that_only_reading_or_agreements_or_lock_files_need(server, data_dir):
    code = "import sys; from laion_fmri.cli import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    command = [sys.executable, "-c", code, *ONE_SESSION]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    modules = set(done.stderr.split())
    ours = {"laion_fmri.loaders", "laion_fmri.access.permit", "laion_fmri.lockfile", "laion_fmri.verification"}
    assert "laion_fmri.storage.transfer" in modules
    assert not {"numpy", "pandas", "xarray", "h5py", "nibabel", "intake", "rich", *ours} & modules


def test_the_help_of_the_program_imports_no_command():
    code = "import sys; from laion_fmri.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"laion_fmri.cli.config", "laion_fmri.cli.alone"} & set(done.stderr.split())


# ---------------------------------------------------------------- flags from the catalog


def test_the_help_of_download_has_every_value_of_the_catalog():
    catalog = load_catalog()
    text = help_of(download_command(catalog))
    for name, entity in {"subject": catalog.entities["subject"], **catalog.filters}.items():
        words = [entity.description, *entity.values, *(entity.range or ()), *entity.aliases, entity.absent or ""]
        assert f"--{name} " in text
        assert [word for word in words if word not in text] == []
    for tree in catalog.flags.values():
        assert tree.description in text


def test_download_takes_what_the_function_takes():
    catalog = load_catalog()
    params = {param.name for param in download_command(catalog).params}
    assert params - {"locked", "dry_run", "as_json"} == set(download_signature(catalog).parameters)


def test_flags_come_and_go_with_the_catalog(other_bucket):
    text = help_of(download_command(read_catalog(other_bucket)))
    assert "--animal VALUE... Animal. Values: rex, ada, or all. [required]" in text
    assert "--day VALUE... Day of the recording. Values: 001 to 009." in text
    assert "one flag takes several: --day day-001 day-002." in text
    assert [name for name in load_catalog().filters if f"--{name}" in text] == []
    changed = other_bucket.read_text().replace("filters: [day]", "filters: [], flag: include_spikes")
    other_bucket.write_text(changed)
    text = help_of(download_command(read_catalog(other_bucket)))
    assert "--include-spikes Spike counts." in text
    assert "--day" not in text


def test_the_help_of_ls_has_every_entity_of_every_artifact():
    catalog = load_catalog()
    text = help_of(ls_command(catalog))
    for source in catalog.sources.values():
        for name, entity in source.args.entities.items():
            assert f"--{name} " in text
            assert [word for word in [entity.description, *entity.values] if word not in text] == []


def test_a_flag_takes_several_values_in_every_way_of_writing_them(server, data_dir, cli):
    ways = [
        ["--ses", "ses-01", "averages"],
        ["--ses", "01", "--ses", "averages"],
        ["--ses=ses-01", "averages"],
        ["--ses=ses-01", "--ses=averages"],
    ]
    plans = [cli("download", *way, "--subject", "sub-03", "--dry-run", "--json").out for way in ways]
    assert len({json.dumps(json.loads(plan)["files"]) for plan in plans}) == 1
    assert len(json.loads(plans[0])["files"]) > len(json.loads(cli(*ONE_SESSION, "--dry-run", "--json").out)["files"])


# ---------------------------------------------------------------- config, info


def test_config_confirms_the_path_as_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("my data").mkdir()
    assert run("config", "--data-dir", "my data") == (0, "Data directory: my data\n", "")
    settings = Path(os.environ["XDG_CONFIG_HOME"], "laion_fmri", "config.json")
    assert json.loads(settings.read_text()) == {"data_dir": "my data"}


def test_config_refuses_a_directory_that_is_not_tcli(tmp_path):
    ended = run("config", "--data-dir", str(tmp_path / "missing"))
    assert ended.code == 2
    assert "missing is no directory; create it first" in ended.err
    assert not (tmp_path / "missing").exists()


def test_info_shows_the_dataset_as_the_page_does(server):
    ended = run("info")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[:2] == ["LAION-fMRI Dataset", "  Bucket:    s3://laion-fmri"]
    assert lines[2].startswith("  Subjects:  ")
    assert "sub-03" in lines[2]
    assert lines[3].startswith("  ROIs:      ")
    assert len(lines) == 4


def test_info_about_a_subject_adds_its_rois(server, cli):
    plain, more = cli("info"), cli("info", "--subject", "03")
    assert more.out.startswith(plain.out)
    assert "\nsub-03\n  ROIs:      " in more.out
    assert "V1v" in more.out.split("\nsub-03\n")[1]


# ---------------------------------------------------------------- download


def test_the_licence_may_be_piped_in(server, fresh_dir):
    ended = run(*ONE_SESSION, answer="I AGREE\n")
    assert ended.code == 0
    assert 'Type "I AGREE"' in ended.out
    files = downloaded(fresh_dir)
    assert f"{len(files)} downloaded, 0 skipped, 0 denied, 0 failed" in ended.out.splitlines()[-1]
    assert any("SingletrialBetas_statmap.nii.gz" in path.name for path in files)
    again = run(*ONE_SESSION)
    assert again.code == 0
    assert again.out.startswith(f"0 downloaded, {len(files)} skipped, 0 denied, 0 failed; 0 B")


@pytest.mark.parametrize("answer", ["no\n", "i agree\n", "\n", "", None])
def test_another_answer_or_none_downloads_nothing(server, fresh_dir, answer):
    ended = run(*ONE_SESSION, answer=answer)
    assert ended.code == 3
    assert ended.err.startswith("laion-fmri: ")
    assert "license" in ended.err
    assert downloaded(fresh_dir) == []
    assert run(*ONE_SESSION).code == 3


@pytest.mark.skipif(os.name != "posix", reason="closes a file descriptor with the shell")
def test_closed_standard_input_is_no_answer(server, fresh_dir):
    done = subprocess.run(
        f'"{sys.executable}" -m laion_fmri.cli {" ".join(ONE_SESSION)} <&-',
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_a_report_in_json_is_all_there_is_on_standard_output(server, fresh_dir):
    ended = run(*ONE_SESSION, "--json", answer="I AGREE\n")
    report = json.loads(ended.out)
    assert ended.code == 0
    assert 'Type "I AGREE"' in ended.err
    assert len(report["downloaded"]) == report["matched"] == len(downloaded(fresh_dir))
    assert report["complete"] is True


def test_a_licence_that_is_declined_leaves_no_word_on_the_standard_output_of_json(server, fresh_dir):
    assert run(*ONE_SESSION, "--json", answer="no\n")[:2] == (3, "")


def test_a_dry_run_asks_for_no_licence_and_downloads_nothing(server, fresh_dir):
    ended = run(*ONE_SESSION, "--include-anatomical", "--dry-run")
    assert (ended.code, ended.err) == (0, "")
    assert "AGREE" not in ended.out
    assert f"From s3://laion-fmri to {fresh_dir}" in ended.out
    assert "it fits" in ended.out
    model, betas, *_ = ended.out.partition("the largest:\n")[2].splitlines()
    assert "GLMsingle_model.h5" in model
    assert "SingletrialBetas_statmap.nii.gz" in betas
    assert "more; --json names every one" in ended.out
    assert downloaded(fresh_dir) == []


def test_a_dry_run_counts_by_tree_what_is_here_and_what_is_held_out(server, data_dir, cli):
    assert cli(*ONE_SESSION).code == 0
    plan = json.loads(cli("download", "--subject", "03", "--dry-run", "--json").out)
    counts = {str(action): [file for file in plan["files"] if file["action"] == action] for action in Action}
    assert counts["skip"]
    assert counts["held out"]
    table = cli("download", "--subject", "03", "--dry-run").out
    row = next(line.split("  ") for line in table.splitlines() if line.startswith("in all"))
    cells = [cell.strip() for cell in row if cell.strip()]
    expected = [f"{len(counts[name])} files" for name in ("download", "skip", "held out")]
    assert [cell.partition(",")[0] for cell in cells] == ["in all", *expected, "-"]
    assert {line.split(" ")[0] for line in table.splitlines()} >= {file["tree"] for file in plan["files"]}


def test_a_dry_run_says_what_is_here_in_part(server, data_dir, cli):
    assert cli(*ONE_SESSION).code == 0
    table = next(path for path in downloaded(data_dir) if path.name.endswith("_trials.tsv"))
    table.write_bytes(b"short")
    out = cli(*ONE_SESSION, "--dry-run").out
    assert f"{table.relative_to(data_dir).as_posix()} (here with 5 bytes)" in out
    assert "more; --json" not in out


def test_a_full_disk_is_told_before_the_first_byte(server, data_dir, cli, monkeypatch):
    space = namedtuple("Space", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: space(100, 90, 10))
    assert "10 B free: it does not fit." in cli(*ONE_SESSION, "--dry-run").out
    ended = cli(*ONE_SESSION)
    assert ended.code == 5
    assert "make room" in ended.err
    assert downloaded(data_dir) == []


def test_a_denied_file_is_named_and_the_rest_is_downloaded(server, data_dir, denied_key):
    words = ["download", "--subject", "sub-03", "--ses", "averages", "--n-jobs", "4"]
    ended = run(*words)
    assert ended.code == 1
    assert f"laion-fmri: warning: Access denied: s3://laion-fmri/{denied_key}\n" in ended.err
    assert f"{len(downloaded(data_dir))} downloaded, 0 skipped, 1 denied, 0 failed" in ended.out
    report = run(*words, "--json")
    assert report.code == 1
    assert json.loads(report.out)["denied"] == [denied_key]
    assert json.loads(report.out)["complete"] is False


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--subject sub-99", "01, 03, 05, 06, 07, all"),
        ("--subject sub-3", "did you mean '03'"),
        ("--subject 03 --ses 99", "ses='99' is not one of"),
        ("--subject 03 --ses ses-1", "did you mean '01'"),
        ("--subject 03 --desc SingleTrialBeta", "did you mean 'SingletrialBetas'"),
        ("--subject 03 --n-jobs x", "'x' is not a valid integer"),
        ("--subject 03 --ses", "'--ses' needs at least one value"),
        ("--subject 03 --ses --n-jobs 2", "'--ses' needs at least one value"),
        ("--subject 03 01", "takes one value or all, not 03, 01"),
        ("--subject 03 --subject 01", "takes one value or all, not 03, 01"),
        ("--ses 01", "Missing option '--subject'"),
        ("--subject 03 --sess 01", "--ses"),
        ("--subject 03 --n-jobs 2 4", "unexpected extra argument"),
    ],
)
def test_wrong_usage_is_told_and_nothing_is_asked_for(server, data_dir, cli, words, said):
    code, out, err = cli("download", *words.split())
    assert (code, out) == (2, "")
    assert err.startswith("laion-fmri: ")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("jobs", ["0", "-1", "1000000"])
def test_a_number_of_jobs_that_cannot_work_is_one_warning_and_a_fallback(server, data_dir, jobs):
    ended = run(*ONE_SESSION, "--n-jobs", jobs)
    assert ended.code == 0
    warnings = [line for line in ended.err.splitlines() if "warning" in line]
    assert len(warnings) == 1
    assert warnings[0].startswith(f"laion-fmri: warning: n_jobs={jobs} is ")


def test_without_a_data_directory_the_message_says_how_to_choose_one(server):
    for words in (ONE_SESSION, [*ONE_SESSION, "--dry-run"]):
        ended = run(*words)
        assert ended.code == 2
        assert "laion-fmri config --data-dir PATH" in ended.err


def test_a_data_directory_that_is_gone_is_named(server, fresh_dir):
    shutil.rmtree(fresh_dir)
    ended = run(*ONE_SESSION)
    assert ended.code == 2
    assert str(fresh_dir) in ended.err
    assert not fresh_dir.exists()


@pytest.mark.parametrize("words", [["info"], ONE_SESSION, [*ONE_SESSION, "--dry-run"]])
def test_an_endpoint_that_does_not_answer_is_named(data_dir, dead_endpoint, words):
    ended = run(*words)
    assert ended.code == 1
    assert dead_endpoint in ended.err
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize("words", [["info"], ONE_SESSION, [*ONE_SESSION, "--dry-run"]])
def test_offline_is_an_exit_code_of_its_own(server, data_dir, monkeypatch, words):
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")
    ended = run(*words)
    assert ended.code == 4
    assert "LAION_FMRI_OFFLINE" in ended.err


@pytest.mark.parametrize("words", [[], ["--dry-run"]])
def test_nothing_that_matches_is_an_error_that_names_the_filters(server, data_dir, words):
    ended = run("download", "--subject", "sub-07", "--ses", "ses-01", *words)
    assert ended.code == 1
    assert "No LAION-fMRI files matched" in ended.err
    assert "sub-07" in ended.err
    assert "ses=['01']" in ended.err


# ---------------------------------------------------------------- errors in general


def subclasses(kind):
    return {kind, *(below for one in kind.__subclasses__() for below in subclasses(one))}


@pytest.mark.parametrize("kind", sorted(subclasses(errors.LaionFMRIError), key=lambda kind: kind.__name__))
def test_every_error_is_one_message_and_its_exit_code(cli, monkeypatch, kind):
    given = {errors.CatalogError: [["the message"]], errors.TermsOutdatedError: ["the page", "2"]}
    error = kind(*given.get(kind, ["the message"]))

    def fails():
        raise error

    monkeypatch.setattr("laion_fmri.discovery.describe", fails)
    assert cli("info") == (kind.exit_code, "", f"laion-fmri: {error}\n")
    debugged = cli("--debug", "info")
    assert debugged.code == kind.exit_code
    assert debugged.err.startswith("Traceback")


def test_the_nearest_command_is_named(cli):
    code, _, err = cli("downlaod")
    assert code == 2
    assert "did you mean `download`?" in err


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_an_interrupt_is_one_line(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with subprocess.Popen([*PROGRAM, "info"], stderr=subprocess.PIPE, text=True) as process:
            silent.settimeout(60)
            connection, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
            connection.close()
    assert process.returncode == 130
    assert err.strip() == "laion-fmri: interrupted; run the same again to continue"


@pytest.mark.parametrize("words", ["info", "ls", "ls --json", "download --help"])
def test_a_reader_that_leaves_is_no_error_to_talk_about(server, monkeypatch, words):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    with subprocess.Popen(
        [*PROGRAM, *words.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


# ---------------------------------------------------------------- ls, cite


@pytest.fixture
def offline(dead_endpoint, monkeypatch):
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")


def test_ls_lists_every_artifact_of_the_catalog(cli, offline):
    code, out, _ = cli("ls")
    assert code == 0
    rows = {line.split()[0]: line for line in out.splitlines()[1:]}
    sources = load_catalog().sources
    assert list(rows) == list(sources)
    for name, source in sources.items():
        assert source.description in rows[name]
        assert ", ".join(source.args.entities) in rows[name]
    ways = {"brain_mask": "--include-anatomical", "embeddings": "--include-embeddings", "captions": "download-captions"}
    assert all(way in rows[name] for name, way in ways.items())
    assert "download" not in rows["trials"]
    artifacts = json.loads(cli("ls", "--json").out)
    assert [artifact["name"] for artifact in artifacts] == list(sources)


def test_ls_shows_which_files_are_here(cli, offline, here):
    code, out, _ = cli("ls", "betas", "--subject", "sub-03", "--ses", "01", "30")
    assert code == 0
    present, absent, total = out.splitlines()[1:]
    assert "not here" not in present
    assert absent.startswith("not here  derivatives/")
    assert total.startswith("1 of 2 files here")
    size = (here / present.split("  ")[-1].strip()).stat().st_size
    files = json.loads(cli("ls", "betas", "--subject", "sub-03", "--ses", "01", "30", "--json").out)
    assert [(file["entities"]["ses"], file["size"]) for file in files] == [("01", size), ("30", None)]


def test_ls_narrows_nothing_that_is_left_out(cli, offline, here):
    def paths(*words):
        return {Path(file["path"]).relative_to(here).as_posix() for file in json.loads(cli("ls", *words, "--json").out)}

    everything = paths("noise_ceiling")
    sessions = paths("noise_ceiling", "--ses", "all")
    subjects = paths("noise_ceiling", "--desc", "all")
    assert sessions
    assert subjects
    assert everything == sessions | subjects
    assert paths("participants") == {"participants.tsv"}
    masks = {
        path.relative_to(here).as_posix() for path in here.glob("derivatives/rois/sub-03/*/*label-V1v_mask.nii.gz")
    }
    assert paths("rois", "--subject", "03", "--label", "V1v") == masks


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("bettas", "did you mean `betas`?"),
        ("betas --label V1v", "betas has no entity or option label"),
        ("betas --ses 99", "ses='99' is not one of"),
        ("noise_ceiling --ses 01 --desc all", "no file has desc and ses"),
        ("--ses 01", "name one: ls ARTIFACT --ses"),
    ],
)
def test_ls_refuses_what_the_catalog_does_not_know(cli, here, words, said):
    code, out, err = cli("ls", *words.split())
    assert (code, out) == (2, "")
    assert said in err


def test_cite_has_citation_release_and_licence(cli, offline):
    dataset = load_catalog().dataset
    out = cli("cite").out
    assert all(text in out for text in (dataset.citation, dataset.release, dataset.license))
    access = load_catalog().artifact("betas").access
    assert f"Licence:   {access.license} ({access.url})" in cli("cite", "betas").out
    assert cli("cite", "nothing").code == 2


# ---------------------------------------------------------------- catalog, reference, demo


def test_the_catalog_of_the_package_is_valid(cli):
    code, out, err = cli("catalog", "validate")
    assert (code, err) == (0, "")
    assert out.count("\n") == 1
    assert f"{len(load_catalog().sources)} artifacts" in out


def test_every_mistake_of_a_catalog_is_a_line_with_its_place(tmp_path):
    lines = catalog_path().read_text(encoding="utf-8").splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("description:"))
    lines[first] = "descripton: wrong"
    lines.append("name: twice")
    file = tmp_path / "broken.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    ended = run("catalog", "validate", str(file))
    assert (ended.code, ended.out) == (2, "")
    assert any(line.startswith(f"{file}:{first + 1}: descripton: ") for line in ended.err.splitlines())
    assert any(line.startswith(f"{file}:{len(lines)}: name: duplicate key") for line in ended.err.splitlines())


def test_a_catalog_file_that_is_not_there_is_named(cli, tmp_path):
    code, _, err = cli("catalog", "validate", str(tmp_path / "none.yaml"))
    assert code == 2
    assert err == f"{tmp_path / 'none.yaml'}: cannot be read: No such file or directory\n"


def test_the_reference_is_written_and_checked(cli, tmp_path):
    folders = ["--docs", str(tmp_path / "docs"), "--schemas", str(tmp_path / "schemas")]
    missing = cli("reference", "--check", *folders)
    assert missing.code == 1
    assert not (tmp_path / "docs").exists()
    written = cli("reference", *folders)
    assert written.code == 0
    assert written.out.count("\n") == missing.err.count("\n") > 0
    assert cli("reference", "--check", *folders) == (0, "", "")
    page = next((tmp_path / "docs").rglob("*.md"))
    page.write_text(f"{page.read_text()}changed")
    stale = cli("reference", "--check", *folders)
    assert stale.code == 1
    assert stale.err == f"{page} is not up to date; run: laion-fmri reference\n"


def test_the_demo_leaves_the_folder_of_somebody_else_alone(cli, tmp_path):
    (tmp_path / "thesis.tex").touch()
    code, _, err = cli("demo", "--folder", str(tmp_path))
    assert code == 2
    assert str(tmp_path) in err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


# ---------------------------------------------------------------- completion


def completed(*words, shell="bash"):
    """Return what the shell is given for the last of the words."""
    position = words[-1] if shell == "fish" else str(len(words))
    variables = {
        "_LAION_FMRI_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(["laion-fmri", *words]),
        "COMP_CWORD": position,
    }
    done = subprocess.run(PROGRAM, env=os.environ | variables, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    lines = done.stdout.split("\n")
    if shell == "zsh":
        return lines[1::3]
    return [line.removeprefix("plain,").partition("\t")[0] for line in lines if line]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_flags_and_values_complete_in_each_shell(shell):
    assert completed("download", "--sub", shell=shell) == ["--subject"]
    assert completed("download", "--stat", "e", shell=shell) == ["effect"]
    assert completed("download", "--ses", "ses-01", "av", shell=shell) == ["averages"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["conf"], ["config"]),
        (["download", "--subject", ""], ["01", "03", "05", "06", "07", "all"]),
        (["download", "--subject", "sub-0"], ["sub-01", "sub-03", "sub-05", "sub-06", "sub-07"]),
        (["download", "--ses", "ses-3"], ["ses-30"]),
        (["download", "--ses", "01", "02", "3"], ["30"]),
        (["download", "--ses=01", "ses-3"], ["ses-30"]),
        (["download", "--ses=ses-3"], ["ses-30"]),
        (["download", "--ses", "=", "ses-3"], ["ses-30"]),
        (["download", "--ses", "01", "--desc", "single"], ["singletrial"]),
        (["download", "--n-jobs", "4", "0"], []),
        (["ls", "noise"], ["noise_ceiling"]),
        (["cite", "bet"], ["betas"]),
        (["ls", "betas", "--ses", "01", "ses-3"], ["ses-30"]),
        (["ls", "--ses", "01", "ses-3"], ["ses-30"]),
        (["ls", "betas", "--ses", "av"], []),
    ],
)
def test_the_word_at_the_cursor_completes(words, expected):
    assert completed(*words) == expected


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_the_line_for_bash_installs_the_completion():
    script = """
    eval "$(_LAION_FMRI_COMPLETE=bash_source laion-fmri)"
    COMP_WORDS=(laion-fmri download --ses ses-01 ses-3); COMP_CWORD=4
    _laion_fmri_completion laion-fmri
    echo "${COMPREPLY[@]}"
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], env=os.environ | {"PATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "ses-30\n"
    assert "bash_source laion-fmri" in run("--help").out
