#pragma once

#include <memory>
#include <string>

#include "modelmill/backend.hpp"
#include "ov_c_api.h"

namespace modelmill::ov {

/// The vendor's functions, set when the library is opened, before anything else here is used.
inline const Api* api = nullptr;

/// What OpenVINO said last, without its own source lines, in one line.
std::string last_error();

/// Throws what OpenVINO said as an Error with `context` before it.
void check(Status status, const std::string& context = {}, mm_code code = MM_INTERNAL);

struct Release {
  void operator()(Model* p) const { api->model_free(p); }
  void operator()(CompiledModel* p) const { api->compiled_model_free(p); }
  void operator()(InferRequest* p) const { api->infer_request_free(p); }
  void operator()(Tensor* p) const { api->tensor_free(p); }
  void operator()(Port* p) const { api->port_free(p); }
};

template <typename T>
using Handle = std::unique_ptr<T, Release>;

/// The ABI's type for OpenVINO's, and back; MM_DTYPE_INVALID and kDynamic for those the other lacks.
mm_dtype from_ov(ElementType type);
ElementType to_ov(mm_dtype dtype);

}  // namespace modelmill::ov
