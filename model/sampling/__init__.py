"""A face and a recording to a talking video.

- `jobs`: which videos to make, lists and folders of pairs
- `inputs`: reads the face and the speech
- `sample_config`: how frames are drawn, and what `auto` stands for
- `denoiser`: the model prepared for the steps of a sampler
- `autoregressive`: draws the frames
- `video_writer`: writes them
- `talking_video`: several videos side by side; `batch`: lists of them, in processes; `api`: Python
"""
