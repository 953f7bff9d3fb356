"""The formats of sound.

In the order of detection, Parquet comes before pictures in Parquet, and folders come after folders
of pictures: a folder of clips rarely holds a picture, and finding out reads all its names.
"""

from typing import Any

from datadeed.datasets.formats import parquet_audio, wavfolder

AUDIO_FORMATS: dict[str, Any] = {"parquet_audio": parquet_audio, "wavfolder": wavfolder}
