"""Loads an exported package and predicts with it as an inspection machine does (X4); no service, no torch.

from loupe.artifact import Artifact
artifact = Artifact("panel-surface-v3.01.zip")
print(artifact.predict("image.png").code)

Needs the extra `loupe-client[artifact]`. A package is a program: opening it runs the
library in it, with your rights. Open only what verifies: `Artifact(…, keys=…)`.
"""

from loupe.extras import ARTIFACT, needs

with needs(ARTIFACT):
    from loupe.artifact.binding import ArtifactError, Image
    from loupe.artifact.opening import Artifact, Description, Prediction

__all__ = ["Artifact", "ArtifactError", "Description", "Image", "Prediction"]
