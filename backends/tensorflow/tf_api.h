// The part of TensorFlow's C API that this plugin uses, declared here so that it is built without TensorFlow. The
// names, types and numbers are those of the public headers tensorflow/c/c_api.h, tf_tensor.h, tf_tstring.h,
// tf_status.h, tf_buffer.h and of types.proto, which TensorFlow keeps stable for all of 2.x. The functions come from
// the vendor's library at run time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "modelmill/backend.hpp"

namespace modelmill::tensorflow {

/// DataType of types.proto, as far as the protocols carry it, and what messages name.
enum class DataType : int32_t {
  kInvalid = 0,
  kFloat = 1,
  kDouble = 2,
  kInt32 = 3,
  kUint8 = 4,
  kInt16 = 5,
  kInt8 = 6,
  kString = 7,
  kInt64 = 9,
  kBool = 10,
  kBfloat16 = 14,
  kUint16 = 17,
  kHalf = 19,
  kResource = 20,
  kUint32 = 22,
  kUint64 = 23,
};

/// The ABI's type for TensorFlow's; MM_DTYPE_INVALID for those that the protocols lack.
mm_dtype from_tf(DataType type);

struct TF_Status;
struct TF_SessionOptions;
struct TF_Session;
struct TF_Graph;
struct TF_Operation;
struct TF_Tensor;

struct TF_Buffer {
  const void* data;
  size_t length;
  void (*data_deallocator)(void* data, size_t length);
};

struct TF_Output {
  TF_Operation* oper;
  int index;
};

/// A string element of a tensor, in place. What is inside is the library's business.
struct TF_TString {
  alignas(8) std::byte opaque[24];
};

/// The functions, by their names without "TF_".
struct Api {
  const char* (*Version)();

  TF_Status* (*NewStatus)();
  void (*DeleteStatus)(TF_Status*);
  int (*GetCode)(const TF_Status*);  // gRPC's codes
  const char* (*Message)(const TF_Status*);

  TF_Buffer* (*NewBuffer)();
  TF_Buffer* (*NewBufferFromString)(const void* bytes, size_t size);
  void (*DeleteBuffer)(TF_Buffer*);
  TF_Buffer* (*GetAllOpList)();

  TF_SessionOptions* (*NewSessionOptions)();
  void (*SetConfig)(TF_SessionOptions*, const void* proto, size_t size, TF_Status*);
  void (*DeleteSessionOptions)(TF_SessionOptions*);

  TF_Graph* (*NewGraph)();
  void (*DeleteGraph)(TF_Graph*);
  TF_Operation* (*GraphOperationByName)(TF_Graph*, const char*);
  int (*OperationNumOutputs)(TF_Operation*);

  TF_Session* (*LoadSessionFromSavedModel)(const TF_SessionOptions*, const TF_Buffer* run_options,
                                           const char* directory, const char* const* tags, int tag_count, TF_Graph*,
                                           TF_Buffer* meta_graph, TF_Status*);
  void (*CloseSession)(TF_Session*, TF_Status*);
  void (*DeleteSession)(TF_Session*, TF_Status*);
  void (*SessionRun)(TF_Session*, const TF_Buffer* run_options, const TF_Output* inputs, TF_Tensor* const* input_values,
                     int input_count, const TF_Output* outputs, TF_Tensor** output_values, int output_count,
                     const TF_Operation* const* targets, int target_count, TF_Buffer* run_metadata, TF_Status*);

  TF_Tensor* (*NewTensor)(DataType, const int64_t* sizes, int rank, void* data, size_t size,
                          void (*release)(void* data, size_t size, void* context), void* context);
  TF_Tensor* (*AllocateTensor)(DataType, const int64_t* sizes, int rank, size_t size);
  void (*DeleteTensor)(TF_Tensor*);
  DataType (*TensorType)(const TF_Tensor*);
  int (*NumDims)(const TF_Tensor*);
  int64_t (*Dim)(const TF_Tensor*, int);
  size_t (*TensorByteSize)(const TF_Tensor*);
  void* (*TensorData)(const TF_Tensor*);
  void (*TensorFromProto)(const TF_Buffer* proto, TF_Tensor* to, TF_Status*);

  void (*StringInit)(TF_TString*);
  void (*StringCopy)(TF_TString*, const char* bytes, size_t size);
  const char* (*StringGetDataPointer)(const TF_TString*);
  size_t (*StringGetSize)(const TF_TString*);
  void (*StringDealloc)(TF_TString*);
};

/// The vendor's functions, set when the library is opened, before anything else here is used.
inline Api api{};

struct Delete {
  void operator()(TF_Status* p) const { api.DeleteStatus(p); }
  void operator()(TF_Buffer* p) const { api.DeleteBuffer(p); }
  void operator()(TF_SessionOptions* p) const { api.DeleteSessionOptions(p); }
  void operator()(TF_Graph* p) const { api.DeleteGraph(p); }
  void operator()(TF_Tensor* p) const { api.DeleteTensor(p); }
};

template <typename T>
using Handle = std::unique_ptr<T, Delete>;

/// A status to hand to the API; not for more than one thread.
class Status {
 public:
  Status() : status_(api.NewStatus()) {}
  TF_Status* get() const { return status_.get(); }
  bool ok() const { return api.GetCode(get()) == 0; }
  std::string message() const { return api.Message(get()); }
  /// Throws what TensorFlow said as an Error with `context` before it, unless it said OK.
  void check(const std::string& context = {}) const {
    if (ok()) return;
    const int code = api.GetCode(get());
    throw backend::Error(code > 0 && code <= MM_UNAUTHENTICATED ? static_cast<mm_code>(code) : MM_UNKNOWN,
                         (context.empty() ? "" : context + ": ") + "TensorFlow: " + message());
  }

 private:
  Handle<TF_Status> status_;
};

}  // namespace modelmill::tensorflow
