"""Names that rows bear, for whoever reads them without making them."""

ACCURACY, LOSSES, CHOICE, QUALITY = 17, 18, 19, 20  # tables
AIDED = ", auxiliary"  # the end of a scenario with auxiliary images
PICKS = ("farthest", "nearest", "random")
