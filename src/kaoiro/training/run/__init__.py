"""`kaoiro train`: its options, its folder, and what happens around the training."""
