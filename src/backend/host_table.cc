#include "backend/host_table.h"

#include <bit>
#include <cstdlib>

#include "base/bytes.h"
#include "base/log.h"

namespace modelmill {
namespace {

mm_error* error_new(mm_code code, const char* message) {
  // An error with the code OK is a backend's bug that must not turn into a success.
  const bool known = code > MM_OK && code <= MM_UNAUTHENTICATED;
  return new mm_error{Status(known ? static_cast<Code>(code) : Code::kUnknown, message != nullptr ? message : "")};
}

mm_code error_code(const mm_error* error) {
  return error != nullptr ? static_cast<mm_code>(error->status.code()) : MM_OK;
}

const char* error_message(const mm_error* error) { return error != nullptr ? error->status.message().c_str() : ""; }

void error_free(mm_error* error) { delete error; }

Status allocate_cpu(mm_allocate_args* args) {
  if (args->kind != MM_MEMORY_CPU)
    return unavailable(std::string(args->kind == MM_MEMORY_GPU ? "GPU" : "pinned") +
                       " memory is not available on this server: ask for MM_MEMORY_CPU");
  const uint64_t alignment = args->alignment != 0 ? std::max<uint64_t>(args->alignment, sizeof(void*)) : kAlignment;
  if (!std::has_single_bit(alignment))
    return invalid_argument("alignment " + std::to_string(args->alignment) + " is not a power of two");
  if (args->size > SIZE_MAX - alignment)
    return resource_exhausted(std::to_string(args->size) + " bytes are more than this machine can address");
  args->data =
      std::aligned_alloc(alignment, (std::max<uint64_t>(args->size, 1) + alignment - 1) / alignment * alignment);
  if (args->data == nullptr) return resource_exhausted("out of memory for " + std::to_string(args->size) + " bytes");
  return ok_status();
}

mm_error* allocate(mm_allocate_args* args) {
  return host_call([&]() -> Status {
    if (!MM_HAS(args, data)) return invalid_argument("mm_allocate_args is too short");
    args->data = nullptr;
    return allocate_cpu(args);
  });
}

void release(void* data, mm_memory_kind, int32_t) { std::free(data); }

LogLevel log_level(mm_log_level level) {
  switch (level) {
    case MM_LOG_DEBUG: return LogLevel::kDebug;
    case MM_LOG_INFO: return LogLevel::kInfo;
    case MM_LOG_WARNING: return LogLevel::kWarning;
    case MM_LOG_ERROR: break;
  }
  return LogLevel::kError;
}

void log(const mm_host_model* model, mm_log_level level, const char* message) {
  const std::string_view text = message != nullptr ? message : "";
  if (model == nullptr) return Log::write(log_level(level), "backend says", {{"message", text}});
  Log::write(log_level(level), "backend says",
             {{"backend", model->backend}, {"model", model->model}, {"version", model->version}, {"message", text}});
}

int32_t log_enabled(mm_log_level level) { return Log::enabled(log_level(level)) ? 1 : 0; }

void execution_done(mm_execution* execution, const mm_execution_done_args* args) {
  if (execution != nullptr) execution->backend_done(args);
}

void model_available(mm_host_model* model, int32_t available, const char* reason) {
  const modelmill::MutexLock lock(model->mutex);
  model->unavailable_reason = reason != nullptr ? reason : "";
  model->available.store(available != 0, std::memory_order_release);
}

constexpr mm_host kHost = {
    .struct_size = sizeof(mm_host),
    .abi_major = MM_ABI_MAJOR,
    .abi_minor = MM_ABI_MINOR,
    .error_new = error_new,
    .error_code = error_code,
    .error_message = error_message,
    .error_free = error_free,
    .allocate = allocate,
    .release = release,
    .log = log,
    .log_enabled = log_enabled,
    .metric_new = host::metric_new,
    .metric_update = host::metric_update,
    .request_info = host::request_info,
    .request_input = host::request_input,
    .request_parameter = host::request_parameter,
    .request_requested_output = host::request_requested_output,
    .request_cancelled = host::request_cancelled,
    .request_trace = host::request_trace,
    .state_read = host::state_read,
    .state_write = host::state_write,
    .response_new = host::response_new,
    .output_allocate = host::output_allocate,
    .output_adopt = host::output_adopt,
    .output_strings = host::output_strings,
    .response_parameter = host::response_parameter,
    .response_send = host::response_send,
    .request_finish = host::request_finish,
    .execution_done = execution_done,
    .call_model = host::call_model,
    .output_forward = host::output_forward,
    .model_available = model_available,
    .call_cancel = host::call_cancel,
    .call_free = host::call_free,
    .change_model = host::change_model,
    .model_ready = host::model_ready,
    .model_failed = host::model_failed,
    .model_memory = host::model_memory,
};

}  // namespace

const mm_host& backend_host_table() { return kHost; }

mm_error* to_abi_error(Status status) { return status.ok() ? nullptr : new mm_error{std::move(status)}; }

}  // namespace modelmill
