"""Which class a watermark's name stands for.

A stage's code is its method's own module, whatever this table says of others: ``flows/imports.py``
leaves it out of every stage, and ``registry.py`` refuses a line that names the wrong class.
"""

WATERMARKS = {
    "badnets": "datadeed.watermarks.badnets:BadNets",
    "blended": "datadeed.watermarks.blended:Blended",
    "adaptive": "datadeed.watermarks.adaptive:Adaptive",
    "keyed": "datadeed.watermarks.keyed:Keyed",
    "keyed2": "datadeed.watermarks.keyed2:Keyed2",
    "ubw-p": "datadeed.watermarks.ubw_p:UBWP",
    "wanet": "datadeed.watermarks.wanet:WaNet",
    "label-consistent": "datadeed.watermarks.label_consistent:LabelConsistent",
    "sleeper-agent": "datadeed.watermarks.sleeper_agent:SleeperAgent",
    "ubw-c": "datadeed.watermarks.ubw_c:UBWC",
    "clean-label-images": "datadeed.watermarks.clean_label_images:CleanLabelImages",
    "clean-label-audio": "datadeed.watermarks.clean_label_audio:CleanLabelAudio",
    "clean-label-text": "datadeed.watermarks.clean_label_text:CleanLabelText",
}
