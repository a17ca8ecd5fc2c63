"""Why a file, or a part of it, is not imported, or looked at: each reason in English and in Chinese (D7).

A message says more where it names the place and the fact. Where it is in English only, Chinese says the
reason.
"""

from collections.abc import Mapping
from functools import cache

from loupe.translation import Sentence, sentence


def chinese_of(reason: str) -> str:
    """What a reason means, in Chinese; KeyError for one that is not here."""
    return reasons()[reason].chinese


@cache
def reasons() -> Mapping[str, Sentence]:
    """Every reason that an importer finds, by its name."""
    return {
        **_of_files(),
        **_of_annotation_files(),
        **_of_annotated_pictures(),
        **_of_annotations(),
        **_remarks(),
    }


def _of_files() -> dict[str, Sentence]:
    return {
        "AMBIGUOUS_MASK": sentence(
            "it looks like a mask, and of which picture is not clear; leave one mask of each picture's name"
        ),
        "BAD_CODE": sentence(
            "the folder's name is no defect code (1 to 32 of A-Z a-z 0-9 _ -); rename it, or use --map"
        ),
        "BAD_MASK": sentence("it cannot be a mask; rename it if it is a picture"),
        "BAD_NAME": sentence("the file's name is not UTF-8; rename it"),
        "BITS": sentence(
            "the picture is not as --bits says; correct --bits, or save it as upright 16-bit grey"
        ),
        "CHANGED": sentence("the file changed while it was read; import it again when it is written"),
        "DANGLING_LINK": sentence("a link to something that does not exist; remove or mend it"),
        "GROUPS_NOT_USED": sentence("a table of groups, and another one is used instead; make one of them"),
        "HIDDEN": sentence("a hidden file, or one in a hidden folder"),
        "IGNORED": sentence("it has a label or lies in a folder that --map leaves out"),
        "LINK_LOOP": sentence("a link that leads back to itself; remove it"),
        "LINK_TO_FOLDER": sentence("a link to a folder that is read at its own place"),
        "MASK_WITHOUT_IMAGE": sentence("a mask without its picture, or with several; name it as one picture"),
        "NAME_TAKEN": sentence("another file is imported under its name already; rename one"),
        "NESTED": sentence("it lies below a code's folder; put images directly into the code's folder"),
        "NOT_AN_IMAGE": sentence("not a JPEG, PNG, BMP or TIFF file by its name"),
        "NOT_A_FILE": sentence("a pipe, socket or device; only regular files are read"),
        "NOT_A_SAMPLE": sentence("a picture in a folder that holds none of samples"),
        "NO_CODE": sentence("an image outside of a code's folder; move it into the folder of its code"),
        "OTHER_FORMAT": sentence("a picture of a format that is not taken; save it as PNG"),
        "OUTSIDE_FOLDER": sentence(
            "it leads outside of the folder; only what lies in it is read: put it there"
        ),
        "PICTURE_REFUSED": sentence("the mask of a picture that is refused; mend the picture"),
        "TOO_LARGE": sentence("the file is too large; make it smaller, or move it out of the folder"),
        "UNREADABLE": sentence("the file cannot be read; check its permissions"),
        "VANISHED": sentence("the file vanished during the import; restore it and import it again"),
    }


def _of_annotation_files() -> dict[str, Sentence]:
    return {
        "BROKEN_JSON": sentence("the JSON is broken; mend it or export it again"),
        "BROKEN_XML": sentence("the XML is broken; mend it or export it again"),
        "NOT_COCO": sentence("the file is not COCO's"),
        "NOT_LABELME": sentence("the file is not LabelMe's"),
        "NOT_UTF8": sentence("the text is neither UTF-8 nor GBK (GB18030); save it as UTF-8"),
        "NOT_VOC": sentence("the file is not Pascal VOC's"),
        "UNSAFE_XML": sentence("the XML declares a DTD or entities; remove the <!DOCTYPE>"),
    }


def _of_annotated_pictures() -> dict[str, Sentence]:
    return {
        "AMBIGUOUS_PICTURE": sentence(
            "several pictures have the name that is annotated; name it with its folder"
        ),
        "BAD_PICTURE": sentence("the image inside of the annotation file cannot be read; replace it"),
        "MISSING_PICTURE": sentence(
            "the picture that is annotated is not in the folder; put it beside the annotations"
        ),
        "SIZE_DIFFERS": sentence("the annotation is for a picture of another size; annotate this one"),
        "TURNED": sentence(
            "the picture is turned by its EXIF orientation; save it upright without one, and annotate that"
        ),
        "STALE_NAME": sentence(
            "the annotation file has the name of another picture than the one that it names; correct one"
        ),
        "TWICE": sentence("two annotations are for one picture; keep one"),
    }


def _of_annotations() -> dict[str, Sentence]:
    return {
        "BAD_ANNOTATION": sentence(
            "the annotation cannot be read or drawn; draw it again, or export it again"
        ),
        "BAD_RLE": sentence("the run lengths of the mask are broken; export them again"),
        "CATEGORY_TWICE": sentence(
            "one id has two categories; give each category an id of its own and export again"
        ),
        "CONTRADICTORY": sentence("the same place is marked as two codes; remove one"),
        "FRACTIONS": sentence("its coordinates look like fractions; export it with coordinates in pixels"),
        "INCOMPLETE": sentence(
            "some annotations of the picture cannot be taken, and the others alone would not be what was "
            "meant; correct them, or leave them out with --map"
        ),
        "MASK_WITHOUT_ANNOTATION": sentence(
            "a mask by its name, and masks beside annotations are not read; rename it if it is a picture, or "
            "import the masks with --format folders"
        ),
        "NOTHING_LEFT": sentence(
            "nothing that is annotated on the picture can be taken; correct the annotations"
        ),
        "NO_ANNOTATION": sentence(
            "nothing is annotated on the picture; annotate it, or give the code of such pictures with "
            "--background-code"
        ),
        "NO_SHAPE": sentence("an annotation has no shape; draw it again or remove it"),
        "OTHER_CODES": sentence(
            "a sample has one code; what is annotated with others is not taken, or in the mask only"
        ),
        "OUTSIDE_PICTURE": sentence("a region reaches outside of the picture; correct it, or the picture"),
        "SEVERAL_CODES": sentence(
            "the picture has several codes as a whole; leave one, or leave others out with --map"
        ),
        "TOO_COMPLEX": sentence(
            "painting the regions takes too long; draw them with fewer points, or smaller masks"
        ),
        "UNKNOWN_CATEGORY": sentence(
            "the annotation has a category that the file does not define; define it"
        ),
        "UNKNOWN_FORMAT": sentence(
            "the file looks like annotations of a format that is not read; export it as another"
        ),
        "UNKNOWN_IMAGE": sentence("the annotation is for an image that the file does not list; list it"),
        "UNKNOWN_SHAPE": sentence("the kind of shape is not known; draw it as a polygon"),
    }


def _remarks() -> dict[str, Sentence]:
    return {
        "CODE_OF_FLAG": sentence(
            "its code is a flag of the annotation file, which marks nothing else; look whether it is right"
        ),
        "ENCODING_CONCLUDED": sentence(
            "the annotations are read as GB18030; look at their labels, or save them as UTF-8"
        ),
        "FOLDER_OF_OTHER_CODE": sentence(
            "the picture lies in the folder of another code than its own; look which is right"
        ),
        "FOUND_BY_NAME": sentence(
            "the path of the picture leads nowhere; the only picture of that name is taken: look whether it "
            "is right"
        ),
        "PERHAPS_A_MASK": sentence(
            "it lies in a folder called as those of masks, and has the name of a picture of another folder; "
            "if it is its mask, put it beside the picture as <name>.mask.png"
        ),
        "OTHER_CAPITALS": sentence(
            "the picture has its name in other capitals than the annotation; look whether it is right"
        ),
    }
