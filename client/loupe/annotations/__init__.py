"""Annotation files of other tools, read as pictures with regions: LabelMe, COCO and Pascal VOC (D1)."""

SUFFIX_OF_FORMAT = {"labelme": ".json", "coco": ".json", "voc": ".xml"}
"""The annotation formats, each with the suffix of its files. `formats.py` has their readers."""
