// Part of modelmill/backend.hpp: requests, responses and executions.
#ifndef MODELMILL_BACKEND_REQUEST_HPP_
#define MODELMILL_BACKEND_REQUEST_HPP_

#include <ctime>
#include <optional>
#include <variant>

#include "core.hpp"

namespace modelmill::backend {

/// Nanoseconds of CLOCK_MONOTONIC.
inline int64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

class Request;

using ParameterValue = std::variant<bool, int64_t, uint64_t, double, std::string>;

/// The value of a parameter that the host gives.
inline ParameterValue value_of(const mm_parameter& p) {
  switch (p.kind) {
    case MM_PARAM_BOOL: return p.value.as_bool != 0;
    case MM_PARAM_INT: return p.value.as_int;
    case MM_PARAM_UINT: return p.value.as_uint;
    case MM_PARAM_DOUBLE: return p.value.as_double;
    case MM_PARAM_STRING: break;
  }
  return std::string(p.value.as_string);
}

/// The parameter for the host. It points to the name and to a text's value.
inline mm_parameter parameter_of(const char* name, const ParameterValue& value) {
  mm_parameter p{};
  p.struct_size = sizeof p;
  p.name = name;
  p.kind = static_cast<mm_parameter_kind>(value.index());  // in the same order
  if (const auto* yes = std::get_if<bool>(&value)) p.value.as_bool = *yes;
  if (const auto* number = std::get_if<int64_t>(&value)) p.value.as_int = *number;
  if (const auto* number = std::get_if<uint64_t>(&value)) p.value.as_uint = *number;
  if (const auto* number = std::get_if<double>(&value)) p.value.as_double = *number;
  if (const auto* text = std::get_if<std::string>(&value)) p.value.as_string = text->c_str();
  return p;
}

/// One answer in the making. One that is dropped unsent answers nothing; its request still needs an answer.
class Response {
 public:
  /// Memory of the host's for an output, to be filled before send().
  void* allocate(const char* name, mm_dtype dtype, std::span<const int64_t> shape) {
    mm_output_args args{};
    args.struct_size = sizeof args;
    args.name = name;
    args.dtype = dtype;
    args.rank = static_cast<uint32_t>(shape.size());
    args.shape = shape.data();
    check(host->output_allocate(handle_, &args));
    return args.data;
  }
  /// An output in memory of the backend's that `owner` keeps alive: not copied.
  void adopt(const char* name, mm_dtype dtype, std::span<const int64_t> shape, const void* data, const Owner& owner) {
    mm_adopt_output_args args{};
    args.struct_size = sizeof args;
    args.name = name;
    args.dtype = dtype;
    args.rank = static_cast<uint32_t>(shape.size());
    args.shape = shape.data();
    args.memory.struct_size = sizeof args.memory;
    args.memory.data = data;
    args.memory.size = element_count(shape) * element_size(dtype);
    args.release = &Owner::release;
    args.release_context = owner.lend();
    check(host->output_adopt(handle_, &args));
  }
  /// An output of strings; they are copied.
  void strings(const char* name, std::span<const int64_t> shape, std::span<const uint64_t> offsets, const void* bytes) {
    mm_string_output_args args{};
    args.struct_size = sizeof args;
    args.name = name;
    args.rank = static_cast<uint32_t>(shape.size());
    args.shape = shape.data();
    args.offsets = offsets.data();
    args.bytes = bytes;
    if (offsets.size() != element_count(shape) + 1)
      throw Error(MM_INTERNAL, "output '" + std::string(name) + "': the offsets do not fit its shape");
    check(host->output_strings(handle_, &args));
  }
  void strings(const char* name, std::span<const int64_t> shape, std::span<const std::string> values) {
    std::string bytes;
    std::vector<uint64_t> offsets{0};
    for (const std::string& value : values) {
      bytes += value;
      offsets.push_back(bytes.size());
    }
    strings(name, shape, offsets, bytes.data());
  }
  /// An output that is an input's bytes in another shape: not copied.
  void forward(const char* name, uint32_t input_index, std::span<const int64_t> shape) {
    mm_forward_output_args args{};
    args.struct_size = sizeof args;
    args.name = name;
    args.input_index = input_index;
    args.rank = static_cast<uint32_t>(shape.size());
    args.shape = shape.data();
    check(host->output_forward(handle_, &args));
  }
  void parameter(const char* name, const ParameterValue& value) {
    const mm_parameter p = parameter_of(name, value);
    check(host->response_parameter(handle_, &p));
  }

  /// Sends the final answer.
  void send();
  /// Sends an error as the final answer, with the parameters that were set.
  void fail(mm_code code, const std::string& message);
  /// Sends one of several answers of a decoupled model.
  void send_partial() { host->response_send(std::exchange(handle_, nullptr), nullptr, 0); }

 private:
  friend class Request;
  Response(Request* request, mm_response* handle) : request_(request), handle_(handle) {}
  Request* request_;
  mm_response* handle_;
};

/// One request of an execution. Belongs to its Execution.
class Request {
 public:
  Request() = default;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  mm_request* handle() const { return handle_; }
  bool answered() const { return answered_; }

  mm_request_info info() const {
    mm_request_info out{};
    out.struct_size = sizeof out;
    host->request_info(handle_, &out);
    return out;
  }
  /// The inputs that came, in the model's order. Live until the final answer.
  mm_tensor input(uint32_t index) const {
    mm_tensor out{};
    out.struct_size = sizeof out;
    check(host->request_input(handle_, index, &out));
    return out;
  }
  /// `hint` is where it stands when no input before it was left out.
  std::optional<mm_tensor> find_input(std::string_view name, uint32_t hint = 0) const {
    const uint32_t count = info().input_count;
    for (uint32_t k = 0; k < count; ++k) {
      const mm_tensor tensor = input((hint + k) % count);
      if (name == tensor.name) return tensor;
    }
    return std::nullopt;
  }
  /// Throws when the client left it out.
  mm_tensor input(std::string_view name, uint32_t hint = 0) const {
    const auto tensor = find_input(name, hint);
    if (!tensor) throw Error(MM_INVALID_ARGUMENT, "input '" + std::string(name) + "' is missing");
    return *tensor;
  }
  /// Whether the client wants this output: it named it, or none.
  bool wants(std::string_view output) const {
    const uint32_t count = info().requested_output_count;
    for (uint32_t i = 0; i < count; ++i)
      if (output == host->request_requested_output(handle_, i)) return true;
    return count == 0;
  }
  std::optional<ParameterValue> parameter(std::string_view name) const {
    const uint32_t count = info().parameter_count;
    for (uint32_t i = 0; i < count; ++i) {
      mm_parameter p{};
      p.struct_size = sizeof p;
      check(host->request_parameter(handle_, i, &p));
      if (name == p.name) return value_of(p);
    }
    return std::nullopt;
  }
  bool cancelled() const { return host->request_cancelled(handle_) != 0; }

  Response respond() {
    mm_response* response = nullptr;
    check(host->response_new(handle_, &response));
    return Response(this, response);
  }
  /// The final answer is an error. Does nothing after a final answer.
  void fail(mm_code code, const std::string& message) noexcept { fail(host->error_new(code, message.c_str())); }
  void fail(mm_error* error) noexcept {
    mm_response* response = nullptr;
    if (answered_ || host->response_new(handle_, &response) != nullptr) return host->error_free(error);
    answered_ = true;
    host->response_send(response, error, MM_RESPONSE_FINAL);
  }
  /// Ends a decoupled request without a further answer.
  void finish() noexcept {
    answered_ = true;
    host->request_finish(handle_);
  }

 private:
  friend class Response;
  friend class Execution;
  mm_request* handle_ = nullptr;
  bool answered_ = false;
};

inline void Response::send() {
  request_->answered_ = true;
  host->response_send(std::exchange(handle_, nullptr), nullptr, MM_RESPONSE_FINAL);
}

inline void Response::fail(mm_code code, const std::string& message) {
  request_->answered_ = true;
  host->response_send(std::exchange(handle_, nullptr), host->error_new(code, message.c_str()), MM_RESPONSE_FINAL);
}

/// One call of execute: its requests, and the duty to answer each and then to say that it is done, which the destructor
/// fulfils. To answer later, from another thread, move it away. Not synchronised.
class Execution {
 public:
  explicit Execution(const mm_execute_args& args)
      : handle_(args.execution),
        count_(args.request_count),
        requests_(std::make_unique<Request[]>(args.request_count)) {
    for (uint32_t i = 0; i < count_; ++i) requests_[i].handle_ = args.requests[i];
  }
  Execution(Execution&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)),
        count_(std::exchange(other.count_, 0)),
        requests_(std::move(other.requests_)),
        times_(other.times_) {}
  Execution& operator=(Execution&&) = delete;
  ~Execution() { done(); }

  uint32_t size() const { return count_; }
  Request& operator[](uint32_t i) const { return requests_[i]; }
  Request* begin() const { return requests_.get(); }
  Request* end() const { return requests_.get() + count_; }

  /// For the statistics: the inputs are ready; the model has run.
  void mark_input_end() { times_.input_end_ns = now_ns(); }
  void mark_infer_end() { times_.infer_end_ns = now_ns(); }

  /// Answers all that have no answer yet with the exception being handled. Call it in a catch block only.
  void fail_rest() noexcept {
    for (Request& request : *this)
      if (!request.answered()) request.fail(current_error());
  }
  /// Says that the instance is free; requests without an answer fail. Nothing can be done with it afterwards.
  void done() noexcept {
    if (handle_ == nullptr) return;
    for (Request& request : *this)
      if (!request.answered()) request.fail(MM_INTERNAL, "the backend gave no answer to this request");
    times_.struct_size = sizeof times_;
    mm_execution* const handle = std::exchange(handle_, nullptr);
    requests_.reset();
    count_ = 0;
    host->execution_done(handle, &times_);
  }

 private:
  mm_execution* handle_;
  uint32_t count_;
  std::unique_ptr<Request[]> requests_;
  mm_execution_done_args times_{};
};

}  // namespace modelmill::backend

#endif  // MODELMILL_BACKEND_REQUEST_HPP_
