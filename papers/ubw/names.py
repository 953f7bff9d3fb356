"""The names that the cells use."""

POISONED = ("badnets-square", "blended-square", "wanet", "ubw-p")  # UBW's own is the last
CLEAN = ("label-consistent", "sleeper-agent", "ubw-c")
VERIFIED = {"ubw-p": 6, "ubw-c": 7}  # the table of each method's verification
# Whoever asks the last surrogate compares it with an honest model that was trained as it was.
MODELS = ("victim", "last-surrogate", "benign-retraining", "benign")
# Scenario: whose answers are tested, and the model that is asked with decoys beside them.
SCENARIOS = {
    "malicious": ("victim", "victim"),
    "independent-trigger": ("independent-trigger", "victim"),
    "independent-model": ("benign", "benign"),
}
ANSWERED = "answered_"  # before a label: how many triggered images of class 0 a model gives it
