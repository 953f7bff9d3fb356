"""The names that the cells use."""

POISONED = ("badnets-square", "blended-square", "wanet", "ubw-p")  # UBW's own is the last
CLEAN = ("label-consistent", "sleeper-agent", "ubw-c")
VERIFIED = {"ubw-p": 6, "ubw-c": 7}  # the table of each method's verification
MODELS = ("victim", "last-surrogate", "benign")
# Scenario: whose answers are tested, and the model that is asked with decoys beside them.
SCENARIOS = {
    "malicious": ("victim", "victim"),
    "independent-trigger": ("independent-trigger", "victim"),
    "independent-model": ("benign", "benign"),
}
ANSWERED = "answered_"  # before a label: how many triggered images of class 0 a model gives it
