"""What models are made of and what they became: algorithm images, data, master data, models, identity."""
