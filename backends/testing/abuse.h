#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "modelmill/backend.h"

/// The parts of the backend in abuse.cc.
namespace abuse {

extern const mm_host* host;

struct Model {
  mm_host_model* host_model;
  std::string mode;
  mm_metric* counter = nullptr;
  mm_metric* gauge = nullptr;
  mm_metric* histogram = nullptr;
};

inline void drop(mm_error* error) {
  if (error != nullptr) host->error_free(error);
}

inline mm_response* response_of(mm_request* request) {
  mm_response* response = nullptr;
  drop(host->response_new(request, &response));
  return response;
}

inline mm_error* put(mm_response* response, const char* name, mm_dtype dtype, int64_t count, const float* values) {
  mm_output_args out{};
  out.struct_size = sizeof out;
  out.name = name;
  out.dtype = dtype;
  out.rank = 1;
  out.shape = &count;
  mm_error* error = host->output_allocate(response, &out);
  if (error == nullptr && values != nullptr) std::memcpy(out.data, values, static_cast<size_t>(count) * sizeof(float));
  return error;
}

/// Answers with a parameter "said", and nothing else.
inline void answer_said(mm_request* request, const std::string& said) {
  mm_response* response = response_of(request);
  mm_parameter p{};
  p.struct_size = sizeof p;
  p.name = "said";
  p.kind = MM_PARAM_STRING;
  p.value.as_string = said.c_str();
  drop(host->response_parameter(response, &p));
  host->response_send(response, nullptr, MM_RESPONSE_FINAL);
}

// In abuse_calls.cc.
/// Asks model "other" for twice x and passes its answer on.
void call_other(Model* model, mm_request* request);
/// Asks model "other" with all that goes with a call.
void call_detailed(Model* model, mm_request* request);
/// Has other models loaded and unloaded; answers with what became of it.
void change_models(Model* model, mm_request* request);

}  // namespace abuse
