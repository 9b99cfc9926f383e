"""Folders with one folder of files for each label: their files, splits and near-duplicates."""
