"""A form that is filled in, for the tests of the agreement."""

EMAIL = "grace.canary@university.example"
FORM = {
    "name": "Grace Canary",
    "email": EMAIL,
    "institution": "University of Examples",
    "pi_or_supervisor": "",
    "research_purpose": "Encoding models of natural scenes",
}
PIPED = "".join(f"{answer}\n" for answer in [*FORM.values(), "yes"])
REQUEST_ID = "lfm_canary0123456789abcdef"
