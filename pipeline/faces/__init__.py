"""Faces in frames: detection, landmarks, tracking, aligned crops, mouth boxes, measures."""
