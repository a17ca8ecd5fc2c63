"""Annotation files of other tools, read as pictures with regions: LabelMe, COCO and Pascal VOC (D1)."""
