#pragma once

#include <onnxruntime_c_api.h>

#include <memory>

#include "modelmill/backend.hpp"

namespace modelmill::ort {

/// The vendor's functions, set when the library is opened, before anything else here is used.
inline const OrtApi* api = nullptr;

/// Throws what ONNX Runtime said as an Error with `context` before it.
inline void check(OrtStatus* status, const std::string& context = {}) {
  if (status == nullptr) return;
  mm_code code = MM_INTERNAL;
  switch (api->GetErrorCode(status)) {
    case ORT_INVALID_ARGUMENT:
    case ORT_INVALID_PROTOBUF:
    case ORT_INVALID_GRAPH: code = MM_INVALID_ARGUMENT; break;
    case ORT_NO_SUCHFILE:
    case ORT_NO_MODEL: code = MM_NOT_FOUND; break;
    case ORT_NOT_IMPLEMENTED: code = MM_UNIMPLEMENTED; break;
    default: break;
  }
  const std::string message = (context.empty() ? "" : context + ": ") + "ONNX Runtime: " + api->GetErrorMessage(status);
  api->ReleaseStatus(status);
  throw backend::Error(code, message);
}

struct Release {
  void operator()(OrtSession* p) const { api->ReleaseSession(p); }
  void operator()(OrtSessionOptions* p) const { api->ReleaseSessionOptions(p); }
  void operator()(OrtRunOptions* p) const { api->ReleaseRunOptions(p); }
  void operator()(OrtValue* p) const { api->ReleaseValue(p); }
  void operator()(OrtMemoryInfo* p) const { api->ReleaseMemoryInfo(p); }
  void operator()(OrtTypeInfo* p) const { api->ReleaseTypeInfo(p); }
  void operator()(OrtTensorTypeAndShapeInfo* p) const { api->ReleaseTensorTypeAndShapeInfo(p); }
  void operator()(OrtCUDAProviderOptionsV2* p) const { api->ReleaseCUDAProviderOptions(p); }
  void operator()(OrtTensorRTProviderOptionsV2* p) const { api->ReleaseTensorRTProviderOptions(p); }
};

template <typename T>
using Handle = std::unique_ptr<T, Release>;

}  // namespace modelmill::ort
