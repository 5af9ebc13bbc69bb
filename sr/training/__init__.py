"""Training of the ESRGAN and of the features of its perceptual loss."""
