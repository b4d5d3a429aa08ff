// What the backend in abuse.cc asks of other models.

#include "abuse.h"

namespace abuse {

void call_other(Model* model, mm_request* request) {
  mm_tensor x{};
  x.struct_size = sizeof x;
  drop(host->request_input(request, 0, &x));
  mm_call_model_args args{};
  args.struct_size = sizeof args;
  args.model = "other";
  args.inputs = &x;
  args.input_count = 1;
  args.parent = request;
  args.context = request;
  args.on_result = [](void* context, mm_error* error, const mm_tensor* outputs, uint32_t count, int32_t) {
    mm_response* response = response_of(static_cast<mm_request*>(context));
    if (error == nullptr && count > 0)
      drop(put(response, "out", MM_FP32, static_cast<int64_t>(outputs[0].element_count),
               static_cast<const float*>(outputs[0].chunks[0].data)));
    host->response_send(response, error, MM_RESPONSE_FINAL);
  };
  if (mm_error* error = host->call_model(model->host_model, &args))
    host->response_send(response_of(request), error, MM_RESPONSE_FINAL);
}

namespace {

/// Gives the answer of another model on, its parameters and its version among it.
void pass_on(void* context, const mm_call_answer* given) {
  mm_response* response = response_of(static_cast<mm_request*>(context));
  if (given->error == nullptr && given->output_count > 0)
    drop(put(response, "out", MM_FP32, static_cast<int64_t>(given->outputs[0].element_count),
             static_cast<const float*>(given->outputs[0].chunks[0].data)));
  for (uint32_t i = 0; i < given->parameter_count; ++i) drop(host->response_parameter(response, &given->parameters[i]));
  mm_parameter version{};
  version.struct_size = sizeof version;
  version.name = "version";
  version.kind = MM_PARAM_INT;
  version.value.as_int = given->version;
  drop(host->response_parameter(response, &version));
  host->response_send(response, given->error, MM_RESPONSE_FINAL);
}

}  // namespace

void call_detailed(Model* model, mm_request* request) {
  mm_parameter parameters[2] = {};
  parameters[0] = {sizeof(mm_parameter), "top", MM_PARAM_INT, {}};
  parameters[0].value.as_int = 5;
  parameters[1] = {sizeof(mm_parameter), "who", MM_PARAM_STRING, {}};
  parameters[1].value.as_string = "me";
  const char* const outputs[1] = {"answer"};
  mm_call* call = nullptr;
  mm_call_model_args args{};
  args.struct_size = sizeof args;
  args.model = "other";
  args.parent = request;
  args.context = request;
  args.on_answer = pass_on;
  args.id = "its own";
  args.requested_outputs = outputs;
  args.requested_output_count = 1;
  args.parameters = parameters;
  args.parameter_count = 2;
  args.priority = 2;
  args.queue_timeout_ns = 7'000'000;
  args.sequence_text = "s";
  args.sequence_flags = MM_SEQUENCE_START;
  args.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  args.flags = MM_CALL_ONE_ANSWER;
  args.call = &call;
  if (mm_error* error = host->call_model(model->host_model, &args))
    host->response_send(response_of(request), error, MM_RESPONSE_FINAL);
  host->call_free(call);
}

void change_models(Model* model, mm_request* request) {
  static std::string said;
  said.clear();
  mm_model_file file = {sizeof file, "1/model.x", "abc", 3};
  mm_change_model_args args{};
  args.struct_size = sizeof args;
  args.on_changed = [](void*, mm_error* error) {
    said += std::to_string(host->error_code(error)) + ";";
    drop(error);
  };
  const auto change = [&](int action, const char* name) {
    args.action = static_cast<mm_model_action>(action);
    args.model = name;
    if (mm_error* error = host->change_model(model->host_model, &args)) args.on_changed(nullptr, error);
  };
  args.config_json = "{}";
  args.files = &file;
  args.file_count = 1;
  change(MM_MODEL_LOAD, "good");
  args.config_json = nullptr;
  args.file_count = 0;
  change(MM_MODEL_UNLOAD, "good");
  change(MM_MODEL_LOAD, "bad");
  change(7, "good");
  change(MM_MODEL_UNLOAD_WITH_MEMBERS, "good");
  for (const int64_t version : {3, 4}) {
    int32_t ready = 0;
    drop(host->model_ready(model->host_model, "m", version, &ready));
    said += ready != 0 ? "ready;" : "unready;";
  }
  answer_said(request, said);
}

}  // namespace abuse
