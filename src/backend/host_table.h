#pragma once

#include <exception>
#include <new>
#include <string>

#include "backend/handles.h"
#include "modelmill/backend.h"

namespace modelmill {

/// The functions that this server gives to backends. Static; works for every backend and model.
const mm_host& backend_host_table();

/// An error for a backend, or null for OK.
mm_error* to_abi_error(Status status);

/// Runs the body of a host function, so that no exception crosses the wall.
template <typename F>
mm_error* host_call(F&& body) noexcept {
  try {
    return to_abi_error(body());
  } catch (const std::bad_alloc&) {
    return to_abi_error(resource_exhausted("out of memory"));
  } catch (const std::exception& e) {
    return to_abi_error(internal(e.what()));
  }
}

/// The families of metrics that backends have made, so that two of them cannot give one name two meanings. Thread-safe.
class BackendMetricNames {
 public:
  Status claim(std::string_view name, mm_metric_kind kind, std::string_view help);

 private:
  struct Family {
    mm_metric_kind kind;
    std::string help;
  };
  Mutex mutex_;
  std::vector<std::pair<std::string, Family>> families_ MM_GUARDED_BY(mutex_);
};

// The parts of the table that have a file of their own.
namespace host {

void request_info(mm_request* request, mm_request_info* out);
mm_error* request_input(mm_request* request, uint32_t index, mm_tensor* out);
mm_error* request_parameter(mm_request* request, uint32_t index, mm_parameter* out);
const char* request_requested_output(mm_request* request, uint32_t index);
int32_t request_cancelled(mm_request* request);
void request_trace(mm_request* request, const char* span, int64_t start_ns, int64_t end_ns);
mm_error* state_read(mm_request* request, const char* name, mm_tensor* out);
mm_error* state_write(mm_request* request, const mm_tensor* value);

mm_error* response_new(mm_request* request, mm_response** out);
mm_error* output_allocate(mm_response* response, mm_output_args* args);
mm_error* output_adopt(mm_response* response, const mm_adopt_output_args* args);
mm_error* output_strings(mm_response* response, const mm_string_output_args* args);
mm_error* output_forward(mm_response* response, const mm_forward_output_args* args);
mm_error* response_parameter(mm_response* response, const mm_parameter* parameter);
void response_send(mm_response* response, mm_error* error, uint32_t flags);
void request_finish(mm_request* request);

mm_error* metric_new(mm_host_model* model, const mm_metric_args* args, mm_metric** out);
void model_failed(mm_host_model* model, const char* reason);
void model_memory(mm_host_model* model, uint64_t bytes);
void metric_update(mm_metric* metric, double value);

mm_error* call_model(mm_host_model* caller, const mm_call_model_args* args);
void call_cancel(mm_call* call);
void call_free(mm_call* call);

mm_error* change_model(mm_host_model* caller, const mm_change_model_args* args);
mm_error* model_ready(mm_host_model* caller, const char* model, int64_t version, int32_t* ready);

}  // namespace host
}  // namespace modelmill
