"""The wizard: is a submission sound, and which spec does it resolve to (rules W, P1, P7)?

A rule is checked in the module of its step: `name` and `image` (step 1), `data` (2), `training` (3),
`preprocessing` (4). `summary` puts the steps of a training together, `prediction` those of a prediction.
`model_params`, `training_params` and `json_object` describe the JSON that users write, and `registry_data`
what the registry knows about a submission. All functions are pure; all findings are reported together.
"""
