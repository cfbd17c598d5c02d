"""Bad catalogs: every mistake is told with its line, its path and what would be right.

Bad files are the real catalog with lines replaced, so lines and paths are real ones.
"""

from __future__ import annotations

import tracemalloc
from typing import NamedTuple

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from intake.catalog.local import YAMLFileCatalog

from laion_fmri.catalog import CatalogFile, catalog_path, load_catalog
from laion_fmri.catalog.check import check_catalog, read_catalog
from laion_fmri.catalog.lines import read_yaml
from laion_fmri.errors import CatalogError
from laion_fmri.intake_driver import LaionCatalog
from laion_fmri.loaders import LOADERS, get_loader

FOLDER = catalog_path().parent
TEXT = catalog_path().read_text(encoding="utf-8")


class Edit(NamedTuple):
    """The first line with `old` below the line `anchor` becomes `new`."""

    anchor: str
    old: str
    new: str

    def line(self, text: str) -> int:
        lines = text.splitlines()
        start = lines.index(self.anchor) if self.anchor else 0
        return next(i for i in range(start, len(lines)) if self.old in lines[i]) + 1

    def apply(self, text: str) -> str:
        lines = text.splitlines()
        i = self.line(text) - 1
        lines[i] = lines[i].replace(self.old, self.new)
        return "\n".join(lines) + "\n"


class Told(NamedTuple):
    """A problem that has to be told: so many lines below the edited one, or at a line that begins so, below others."""

    place: int | str | tuple[str, ...]
    path: str
    message: str

    def line(self, text: str, edited: int) -> int:
        if isinstance(self.place, int):
            return edited + self.place
        lines = enumerate(text.splitlines(), 1)
        for place in (self.place,) if isinstance(self.place, str) else self.place:
            found = next(i for i, line in lines if line.startswith(place))
        return found


def told(text: str) -> list[tuple[int, str, str]]:
    _, problems = check_catalog(text, FOLDER, LOADERS)
    return [(problem.line, ".".join(map(str, problem.path)), problem.message) for problem in problems]


DATASET, SUBJECT, SES = "  dataset: &dataset", "    subject: &subject", "    ses: &ses"
CC0, BUCKET, BETAS, TRIALS = "    cc0: &cc0", "    bucket: &bucket", "  betas:", "  trials:"
PARTICIPANTS, GLMSINGLE = "  participants:", "    glmsingle: &glmsingle"

CASES = {
    "duplicate key": (
        Edit(BUCKET, "      region: us-west-2", "      region: us-west-2\n      region: eu-west-1"),
        [Told(1, "x-definitions.remotes.bucket.region", "duplicate key; the first one is on line")],
    ),
    "unquoted label that YAML reads as an octal number": (
        Edit(SUBJECT, '"01"', "01"),
        [Told(0, "x-definitions.entities.subject.values.0", 'unquoted label; write "01"')],
    ),
    "unquoted label that YAML reads as text": (
        Edit(SES, '"30"', "08"),
        [Told(0, "x-definitions.entities.ses.range.1", 'unquoted label; write "08"')],
    ),
    "unquoted key": (
        Edit("    desc: &desc", "singletrial:", "01:"),
        [Told(0, "x-definitions.entities.desc.aliases.01", 'unquoted key; write "01"')],
    ),
    "key that YAML reads as a truth value": (
        Edit("    desc: &desc", "singletrial:", "no:"),
        [Told(0, "x-definitions.entities.desc.aliases.no", 'unquoted key; write "no"')],
    ),
    "number for a label": (
        Edit(SUBJECT, '"05"', "5"),
        [Told(0, "x-definitions.entities.subject.values.2", "must be text, not 5; write it in quotes")],
    ),
    "truth value for a label": (
        Edit("    task: &task", '"images"', "no"),
        [Told(0, "x-definitions.entities.task.values.0", "must be text, not False; write it in quotes")],
    ),
    "unquoted date": (
        Edit(DATASET, '"2026-09-28"', "2026-09-28"),
        [Told(0, "x-definitions.dataset.released", 'YAML takes this for a timestamp; write "2026-09-28"')],
    ),
    "text for a mapping": (
        Edit("  hrf_index:", "{roi: *roi, mask: *mask, mask_source: *mask_source, source: *source}", "roi"),
        [Told(0, "sources.hrf_index.args.options", "must be a mapping, not 'roi'")],
    ),
    "nothing for text": (
        Edit(BUCKET, "us-west-2", ""),
        [Told(0, "x-definitions.remotes.bucket.region", "must be text, not nothing")],
    ),
    "missing key": (
        Edit(TRIALS, "      loader: table", "      # none"),
        [Told(-8, "sources.trials.args.loader", "is missing")],
    ),
    "unknown key of the file": (
        Edit("", "description: ", "descripton: "),
        [
            Told(-1, "description", "is missing"),
            Told(0, "descripton", "unknown key; did you mean `description`?"),
        ],
    ),
    "unknown key of a source": (
        Edit(BETAS, "    metadata:", "    metdata:"),
        [Told(0, "sources.betas.metdata", "unknown key; did you mean `metadata`?")],
    ),
    "unknown key of args": (
        Edit(BETAS, "sidecar:", "sidecars:"),
        [Told(0, "sources.betas.args.sidecars", "unknown key; did you mean `sidecar`?")],
    ),
    "unknown key of an entity": (
        Edit(SES, "absent:", "absense:"),
        [Told(0, "x-definitions.entities.ses.absense", "unknown key; did you mean `absent`?")],
    ),
    "unknown key of an access policy": (
        Edit(CC0, "      marker:", "      makrer: x\n      marker:"),
        [Told(0, "x-definitions.access.cc0.makrer", "unknown key; did you mean `marker`?")],
    ),
    "unknown key unlike any other": (
        Edit(BUCKET, "      region:", "      zzz: x\n      region:"),
        [
            Told(
                0,
                "x-definitions.remotes.bucket.zzz",
                "unknown key; there are kind, bucket, region, anonymous, held_out",
            )
        ],
    ),
    "unknown key that another access policy has": (
        Edit(
            "    cc0: &cc0", "    cc0: &cc0", "    open: {policy: open, license: x, url: x, marker: x}\n    cc0: &cc0"
        ),
        [Told(0, "x-definitions.access.open.marker", "unknown key; there are policy, license, url")],
    ),
    "unknown access policy": (
        Edit(CC0, "acknowledge", "acknowlege"),
        [
            Told(
                0,
                "x-definitions.access.cc0.policy",
                "'acknowlege' is not possible; use 'open', 'acknowledge', 'agreement'; did",
            )
        ],
    ),
    "missing access policy": (
        Edit(CC0, "      policy: acknowledge", "      # none"),
        [Told(-1, "x-definitions.access.cc0.policy", "is missing")],
    ),
    "unknown choice": (
        Edit(SES, "strict", "strikt"),
        [Told(0, "x-definitions.entities.ses.match", "use 'permissive', 'strict' or 'exact'; did you mean `strict`?")],
    ),
    "merge key": (
        Edit(SES, "      description: Scanning session.", "      <<: *subject"),
        [Told(0, "x-definitions.entities.ses", "merge keys (<<) are not allowed")],
    ),
    "custom tag": (
        Edit(DATASET, '"1.1"', '!!python/object/apply:os.system ["x"]'),
        [Told(0, "x-definitions.dataset.release", "tag !!python/object/apply:os.system is not allowed")],
    ),
    "tag of YAML": (
        Edit(DATASET, '"1.1"', "!!str 1.1"),
        [Told(0, "x-definitions.dataset.release", "tag !!str is not allowed")],
    ),
    "template marks": (
        Edit(SES, "Scanning session.", '"{{ CATALOG_DIR }}"'),
        [Told(0, "x-definitions.entities.ses.description", "template marks ({{, {%, {#) are not allowed")],
    ),
    "another catalog schema": (
        Edit(DATASET, 'catalog_schema: "1"', 'catalog_schema: "2"'),
        [Told(0, "x-definitions.dataset.catalog_schema", 'reads catalogs of schema "1", not "2"')],
    ),
    "template field without an entity": (
        Edit(BETAS, "ses-{ses}/", "ses-{sess}/"),
        [Told(0, "sources.betas.args.path", "a field {sess} that is no entity; did you mean `ses`?")],
    ),
    "brace that closes nothing": (
        Edit(BETAS, "ses-{ses}/", "ses-ses}/"),
        [Told(0, "sources.betas.args.path", "a brace that belongs to no field")],
    ),
    "path that leads up": (
        Edit(BETAS, "derivatives/", "../derivatives/"),
        [Told(0, "sources.betas.args.path", "a key is relative")],
    ),
    "template field of a tree that is not listed by it": (
        Edit(GLMSINGLE, "sub-{subject}/", "ses-{ses}/"),
        [Told(0, "x-definitions.trees.glmsingle.prefix", "{ses} cannot stand here")],
    ),
    "entity that no path uses": (
        Edit(BETAS, "{subject: *subject, ses: *ses}", "{subject: *subject, ses: *ses, res: *res}"),
        [Told(0, "sources.betas.args.entities.res", "no path uses res")],
    ),
    "option that is an entity": (
        Edit(BETAS, "roi: *roi", "ses: *roi"),
        [Told(0, "sources.betas.args.options.ses", "ses is an entity too")],
    ),
    "access text that is not there": (
        Edit(CC0, "texts/license-cc0.txt", "texts/licence.txt"),
        [Told(0, "x-definitions.access.cc0.text", "there is no file texts/licence.txt beside the catalog")],
    ),
    "contact that the form does not ask for": (
        Edit("    agreement: &agreement", "contact: email", "contact: e_mail"),
        [Told(0, "x-definitions.access.agreement.form.contact", "there is no question e_mail; did you mean `email`?")],
    ),
    "question with a pattern that is none": (
        Edit("    agreement: &agreement", "pattern: '[^@", "pattern: '(["),
        [Told(0, "x-definitions.access.agreement.form.questions.email.pattern", "is no regular expression")],
    ),
    "prompt with an unknown field": (
        Edit("    agreement: &agreement", "{terms_version}", "{version}"),
        [Told(0, "x-definitions.access.agreement.form.prompt", "the only field of this text is {terms_version}")],
    ),
    "service without https": (
        Edit("  services:", "url: https:", "url: http:"),
        [Told(0, "x-definitions.access.agreement.service.url", "is no https address")],
    ),
    "host with a path": (
        Edit("  services:", "s3.amazonaws.com]", "s3.amazonaws.com/x]"),
        [Told(0, "x-definitions.access.agreement.service.hosts.1", "is no name of a host")],
    ),
    "endpoint that leads elsewhere": (
        Edit("  services:", "refresh: api/v1/refresh", "refresh: /api/../refresh"),
        [
            Told(
                0,
                "x-definitions.access.agreement.service.endpoints.refresh",
                "is no path below the address of the service",
            )
        ],
    ),
    "gated files without names": (
        Edit(
            "    stimuli: &stimuli_tree",
            "files: [stimuli/task-images_stimuli.h5, stimuli/task-images_metadata.csv]",
            "prefix: stimuli/",
        ),
        [Told(("  stimuli:", "    args:"), "sources.stimuli.args", "a service gives files by their names")],
    ),
    "background that is no colour": (
        Edit("  stimuli:", "[128, 128, 128]", "[128, 128, 256]"),
        [Told(0, "sources.stimuli.args.layout.background.2", "less than or equal to 255")],
    ),
    "join to an unknown artifact": (
        Edit("    brain_mask: &brain_mask", "artifact: brain_mask", "artifact: brainmask"),
        [Told(0, "x-definitions.joins.brain_mask.artifact", "no artifact brainmask; did you mean `brain_mask`?")],
    ),
    "join with another path than its artifact": (
        Edit(TRIALS, "*trials_path", "derivatives/sub-{subject}/ses-{ses}/trials.tsv"),
        [Told("      path: &trials_path", "x-definitions.joins.trials.path", "is no path of artifact")],
    ),
    "mask source that is no join": (
        Edit("    mask_source: &mask_source", "rsquare: r2", "rsquare: rr2"),
        [Told(0, "sources.betas.args.options.mask_source.choices.rsquare", "no join rr2; did you mean `r2`?")],
    ),
    "noise ceiling that is no join": (
        Edit("    nc: &nc", "session: noise_ceiling", "session: noise_ceilings"),
        [Told(0, "sources.betas.args.options.nc.choices.session", "no join noise_ceilings; did you mean")],
    ),
    "named region that is no query": (
        Edit(
            "  regions: &regions  # names that ROI queries take beside labels and categories",
            "V1: V1v + V1d",
            "V1: V1v +",
        ),
        [Told(-1, "x-definitions.regions", "'V1v +', character 6: expected a name or (")],
    ),
    "discovery of unknown subjects": (
        Edit("    subjects:", "entity: subject", "entity: subjekt"),
        [Told(0, "x-definitions.discovery.subjects.entity", "there is no entity subjekt; did you mean `subject`?")],
    ),
    "discovery of an unknown artifact": (
        Edit("  discovery:", "artifact: rois", "artifact: roi"),
        [Told(0, "x-definitions.discovery.rois.artifact", "there is no artifact roi; did you mean `rois`?")],
    ),
    "discovery of an unknown ROI entity": (
        Edit("  discovery:", "category: category", "category: categories"),
        [Told(0, "x-definitions.discovery.rois.category", "no entity categories; did you mean `category`?")],
    ),
    "held-out rule of an unknown entity": (
        Edit(BUCKET, "entity: ses", "entity: sess"),
        [Told(0, "x-definitions.remotes.bucket.held_out.entity", "there is no entity sess; did you mean `ses`?")],
    ),
    "tree filter that is no entity": (
        Edit(GLMSINGLE, "[ses, task", "[sess, task"),
        [Told(0, "x-definitions.trees.glmsingle.filters.0", "there is no entity sess; did you mean `ses`?")],
    ),
    "file of a tree with a field that is not its choice": (
        Edit("    root: &root", "participants.tsv", '"participants-{ses}.tsv"'),
        [Told(0, "x-definitions.trees.root.files.1", "{ses} is not the choice of the tree")],
    ),
    "choice of a tree that is no entity": (
        Edit("    root: &root", "      files:", "      flag: include_root\n      choice: sess\n      files:"),
        [Told(1, "x-definitions.trees.root.choice", "there is no entity sess; did you mean `ses`?")],
    ),
    "forced file of an unknown filter": (
        Edit(GLMSINGLE, "when: ses", "when: session"),
        [Told(0, "x-definitions.trees.glmsingle.forced.0.when", "there is no entity session")],
    ),
    "unknown tree": (
        Edit(PARTICIPANTS, "tree: *root", "tree: {name: rot, description: Files., files: [participants.tsv]}"),
        [Told(0, "sources.participants.args.tree.name", "there is no tree rot; did you mean `root`?")],
    ),
    "unknown loader": (
        Edit(BETAS, "loader: voxel_series", "loader: voxelseries"),
        [Told(0, "sources.betas.args.loader", "there is no loader voxelseries; did you mean `voxel_series`?")],
    ),
    "pattern that is no regular expression": (
        Edit("    category: &category", '"[A-Za-z0-9]+"', '"[A-Za-z0-9"'),
        [Told(0, "x-definitions.entities.category.pattern", "is no regular expression: unterminated character set")],
    ),
    "pattern with a group": (
        Edit("    category: &category", '"[A-Za-z0-9]+"', '"(a|b)"'),
        [Told(0, "x-definitions.entities.category.pattern", "(a|b) has a group; write (?:...)")],
    ),
    "pattern that matches a folder separator": (
        Edit("    category: &category", '"[A-Za-z0-9]+"', '".+"'),
        [Told(0, "x-definitions.entities.category.pattern", ".+ matches '/'")],
    ),
    "range that runs backwards": (
        Edit(SES, '["01", "30"]', '["30", "01"]'),
        [Told(0, "x-definitions.entities.ses.range", "takes the first and the last of zero-padded numbers")],
    ),
    "range of millions": (
        Edit(SES, '["01", "30"]', '["0000001", "9999999"]'),
        [Told(0, "x-definitions.entities.ses.range", "of at most 4 digits")],
    ),
    "range of one": (
        Edit(SES, '["01", "30"]', '["01"]'),
        [Told(0, "x-definitions.entities.ses.range.1", "is missing")],
    ),
    "values and range": (
        Edit(SES, "      range:", '      values: ["01"]\n      range:'),
        [Told(-2, "x-definitions.entities.ses", "give exactly one of values, range and pattern")],
    ),
    "value that stands twice": (
        Edit(SUBJECT, '"03"', '"01"'),
        [Told(0, "x-definitions.entities.subject.values", "01 stands here twice")],
    ),
    "value with a separator": (
        Edit("    task: &task", "images", "ima_ges"),
        [Told(0, "x-definitions.entities.task.values", "'ima_ges' is no value")],
    ),
    "alias of no value": (
        Edit("    desc: &desc", "{singletrial: SingletrialBetas}", "{singletrial: SingletrialBeta}"),
        [Told(0, "x-definitions.entities.desc.aliases", "not a value; did you mean `SingletrialBetas`?")],
    ),
    "default that is no value": (
        Edit("    res: &res", 'default: "1pt8"', 'default: "1pt9"'),
        [Told(0, "x-definitions.entities.res.default", "1pt9 is not a value; did you mean `1pt8`?")],
    ),
    "default that is no choice": (
        Edit("    mask_source: &mask_source", "default: anatomical", "default: anatomic"),
        [Told(0, "x-definitions.options.mask_source.default", "not one of the choices; did you mean `anatomical`?")],
    ),
    "suffix that takes files without one": (
        Edit("    suffix: &suffix", "match: exact", "match: strict"),
        [Told(-3, "x-definitions.entities.suffix", "a suffix or an extension takes match: exact")],
    ),
    "name of an artifact that is no name": (
        Edit(PARTICIPANTS, "  participants:", "  all-participants:"),
        [Told(0, "sources.all-participants", "letters, digits and underscores, so that cat.NAME works")],
    ),
    "name of an artifact that is a word of Python": (
        Edit(PARTICIPANTS, "  participants:", "  class:"),
        [Told(0, "sources.class", "letters, digits and underscores, so that cat.NAME works")],
    ),
}


@pytest.mark.parametrize(("edit", "expected"), CASES.values(), ids=CASES)
def test_a_mistake_is_told_once_at_its_line(edit, expected):
    text = edit.apply(TEXT)
    found = told(text)
    assert [(line, path) for line, path, _ in found] == [
        (one.line(text, edit.line(TEXT)), one.path) for one in expected
    ]
    for (_, _, message), one in zip(found, expected, strict=True):
        assert one.message in message


def test_all_mistakes_of_a_file_are_told_at_once_in_the_order_of_lines(tmp_path):
    names = [
        "unquoted label that YAML reads as an octal number",
        "duplicate key",
        "unknown choice",
        "tree filter that is no entity",
        "join to an unknown artifact",
        "another catalog schema",
        "unknown key of args",
        "template field without an entity",
        "option that is an entity",
        "unknown loader",
        "name of an artifact that is a word of Python",
    ]
    text, expected = TEXT, []
    for name in names:
        edit, problems = CASES[name]
        text = edit.apply(text)
        expected += [(one.path, one.message) for one in problems]
    found = told(text)
    assert sorted(path for _, path, _ in found) == sorted(path for path, _ in expected)
    assert [line for line, _, _ in found] == sorted(line for line, _, _ in found)

    bad = tmp_path / "bad.yaml"
    bad.write_text(text, encoding="utf-8")
    (tmp_path / "texts").symlink_to(FOLDER / "texts")
    with pytest.raises(CatalogError) as caught:
        read_catalog(bad, LOADERS)
    assert caught.value.problems == tuple(f"{bad}:{line}: {path}: {message}" for line, path, message in found)


def test_a_wrong_shared_block_is_told_once_however_often_it_is_used():
    edit = Edit(SUBJECT, "      key: sub", "      key: sub\n      kee: sub\n      strip: 5")
    assert [path for _, path, _ in told(edit.apply(TEXT))] == [
        "x-definitions.entities.subject.kee",
        "x-definitions.entities.subject.strip",
    ]


def test_two_mistakes_on_one_line_are_both_told():
    edit = Edit(SUBJECT, '"03", "05"', "03, 5")
    assert [message for _, _, message in told(edit.apply(TEXT))] == [
        'unquoted label; write "03"',
        "must be text, not 5; write it in quotes",
    ]


def test_loaders_are_not_looked_at_unless_they_are_given():
    edit, _ = CASES["unknown loader"]
    model, problems = check_catalog(edit.apply(TEXT), FOLDER)
    assert problems == []
    assert model.artifact("betas").loader == "voxelseries"


def test_the_loaders_of_the_catalog_are_there():
    for source in load_catalog().sources.values():
        assert get_loader(source.args.loader)


CLAIMS = {
    "the same key": ("participants.tsv", "participants.tsv", True),
    "a key that the other one can take": ("sub-{subject}_x.tsv", "sub-05_x.tsv", True),
    "a value that the other one has not": ("sub-{subject}_x.tsv", "sub-02_x.tsv", False),
    "the same entity": ("sub-{subject}_x.tsv", "sub-{subject}_x.tsv", True),
    "entities with common values": ("{desc}_x.tsv", "{nc_desc}_x.tsv", True),
    "entities without common values": ("{subject}_x.tsv", "{desc}_x.tsv", False),
    "values that only the remote knows": ("{label}_x.tsv", "{category}_x.tsv", True),
    "a value of a pattern": ("{category}/x.tsv", "face/x.tsv", True),
    "no value of a pattern": ("{category}/x.tsv", "face-1/x.tsv", False),
    "a known value of a pattern": ("{category}/x.tsv", "{subject}/x.tsv", True),
    "patterns between other texts": ("label-{label}/x.tsv", "roi-{category}/x.tsv", False),
    "a pattern inside the other text": ("label-{category}/x.tsv", "{label}/x.tsv", True),
    "another extension": ("sub-{subject}_x.tsv", "sub-{subject}_x.csv", False),
    "another depth": ("sub-{subject}/x.tsv", "sub-{subject}/a/x.tsv", False),
}


@pytest.mark.parametrize(("one", "other", "clash"), CLAIMS.values(), ids=CLAIMS)
def test_two_artifacts_do_not_claim_the_same_key(one, other, clash):
    def entry(name: str, path: str) -> str:
        used = [field for field in ("subject", "desc", "nc_desc", "label", "category") if f"{{{field}}}" in path]
        entities = ", ".join(f"{field}: *{field}" for field in used)
        return (
            f"  {name}:\n    driver: laion_fmri\n    description: Made up.\n    args:\n      dataset: *dataset\n"
            f"      remote: *bucket\n      access: *cc0\n      tree: *root\n      entities: {{{entities}}}\n"
            f'      path: "made-up/{path}"\n      loader: table\n      layout: {{dims: [row]}}\n'
            f"      size: {{bytes: 1, note: one}}\n"
        )

    text = TEXT + entry("one", one) + entry("other", other)
    expected = [
        (len(text.splitlines()) - 3, "sources.other.args.path", f"claims keys that one claims too: made-up/{other}")
    ]
    assert told(text) == (expected if clash else [])


def test_every_public_attribute_of_an_intake_catalog_is_refused_as_a_name():
    attributes = {name for kind in (YAMLFileCatalog, LaionCatalog) for name in dir(kind)}
    attributes |= {*vars(YAMLFileCatalog(str(catalog_path()))), "access", "autoreload", "filesystem"}
    public = sorted(name for name in attributes if not name.startswith("_"))
    text = TEXT + "".join(f"  {name}: {{}}\n" for name in [*public, "_private", "fine"])
    refused = [path for _, path, message in told(text) if "a catalog has an attribute of this name" in message]
    assert refused == [f"sources.{name}" for name in [*public, "_private"]]


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 40)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 5000))


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        pytest.param(BOMB, 5, "aliases unfold to over 100,000 values", id="alias bomb"),
        pytest.param(CHAIN, 50, "aliases unfold to over 100,000 values, or over 50 deep", id="chain of aliases"),
        pytest.param("a:\n  b: &b\n    c: *b\n", 2, "an alias inside the block that it stands for", id="cycle"),
        pytest.param("x: 1\n" + "[" * 1_000_000, 2, "not YAML", id="deep nesting after a mapping"),
        pytest.param("[" * 1_000_000, 1, "nest", id="deep nesting"),  # libyaml has a limit of its own since 2026
        pytest.param("{a: " * 1_000_000, 1, "nested more than 50 deep", id="deep mappings"),
    ],
)
def test_hostile_yaml_is_refused_without_unfolding_it(text, line, message):
    _, problems = check_catalog(text, FOLDER)
    assert [(one.line, one.path) for one in problems] == [(line, ())]
    assert message in problems[0].message

    tracemalloc.start()
    check_catalog(text, FOLDER)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(text) + 20_000_000


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "the file is empty"),
        ("# nothing but a remark\n", 1, "the file is empty"),
        ("~\n", 1, "a catalog is a mapping with name, description, x-definitions and sources"),
        ("- name: x\n", 1, "a catalog is a mapping with name, description, x-definitions and sources"),
        ("name: x\ndescription:\n\t- x\n", 3, "not YAML: found character that cannot start any token"),
        ("name: x\nsources: [a, b\n", 3, "not YAML: did not find expected ',' or ']'"),
        ("name: x\nsources: *none\n", 2, "not YAML: found undefined alias"),
        ("name: x\ndescription: \x01\n", 2, "not YAML: control characters are not allowed"),
        ("name: x\n--- \nname: y\n", 2, "not YAML: but found another document"),
        ("name: x\nsources: !!set {}\n", 2, "tag !!set is not allowed"),
        ("? [a, b]\n: x\n", 1, "a key must be plain text"),
        ("sources: 0x_\n", 1, "cannot be read: invalid literal"),
    ],
)
def test_text_that_is_no_catalog_is_refused_with_a_line(text, line, message):
    _, problems = check_catalog(text, FOLDER)
    assert any(problem.line == line and message in problem.message for problem in problems), problems


def test_a_byte_order_mark_is_accepted(tmp_path):
    (tmp_path / "texts").symlink_to(FOLDER / "texts")
    path = tmp_path / "catalog.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert read_catalog(path) == load_catalog()


def test_a_file_that_is_not_utf8_is_refused_with_a_line(tmp_path):
    path = tmp_path / "catalog.yaml"
    path.write_bytes(b"name: x\ndescription: caf\xe9\n")
    with pytest.raises(CatalogError) as caught:
        read_catalog(path)
    assert caught.value.problems == (f"{path}:2: is not UTF-8 text: invalid continuation byte; save it as UTF-8",)


@pytest.mark.parametrize(("name", "why"), [("none.yaml", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_is_refused(tmp_path, name, why):
    with pytest.raises(CatalogError) as caught:
        read_catalog(tmp_path / name)
    assert caught.value.problems == (f"{tmp_path / name}: cannot be read: {why}",)


def test_the_catalog_of_the_package_is_right_and_says_what_pyyaml_reads():
    model, problems = check_catalog(TEXT, FOLDER, LOADERS)
    assert problems == []
    assert isinstance(model, CatalogFile)
    assert read_yaml(TEXT)[0] == yaml.safe_load(TEXT)


PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("abz01-_:#'\"\\ \n", max_size=8)
)


@settings(deadline=None)
@given(
    st.recursive(
        PLAIN,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab01~", max_size=3), inner, max_size=4),
    )
)
def test_reading_agrees_with_pyyaml_where_nothing_is_told(data):
    text = yaml.safe_dump(data)
    found, _, problems = read_yaml(text)
    if not problems:
        assert found == data


ODD = [
    "",
    "5",
    "[]",
    "{}",
    "[5]",
    "{a: b}",
    "[[a], {b: c}]",
    "x",
    '"{y}"',
    "no",
    "*subject",
    "*betas",
    "[*ses]",
    '"\\0"',
]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(TEXT.splitlines()) - 1), st.sampled_from(ODD)), min_size=1, max_size=4))
def test_no_replaced_values_lead_to_anything_but_problems_with_real_lines(edits):
    lines = TEXT.splitlines()
    for i, odd in edits:
        key, colon, _ = lines[i].partition(":")
        lines[i] = f"{key}{colon} {odd}"
    model, problems = check_catalog("\n".join(lines), FOLDER, LOADERS)
    assert (model is None) <= bool(problems)
    for problem in problems:
        assert 1 <= problem.line <= len(lines) + 1
        assert problem.message
