"""Names of the published weights, and a picture in which random ones see no face."""

import numpy as np

DETECTOR, LANDMARKS = "s3fd-619a316812.pth", "2DFAN4-11f355bf06.pth.tar"
LEVELS = ("conv3_3_norm", "conv4_3_norm", "conv5_3_norm", "fc7", "conv6_2", "conv7_2")
DARK = np.zeros((210, 240, 3), np.uint8)
