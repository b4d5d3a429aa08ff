def send_intermediate_predict_response(ret, req_id_map, message, code, context=None):
    """Sends an answer to each request of the batch that is not its last one. `ret` has a value for each."""
    if context is None or context.stream is None:
        raise RuntimeError("answers can be sent only while a batch is handled, with its context")
    context.stream(ret)
