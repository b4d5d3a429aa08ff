#pragma once

#include <cstddef>
#include <cstdint>

/// What is used of OpenVINO's C API, declared here so that the plugin builds without OpenVINO: names, numbers and
/// layouts are those of openvino/c/*.h in the package `openvino` 2026.4 (Apache-2.0), which 2025.4 has too.
namespace modelmill::ov {

struct Core;
struct Model;
struct CompiledModel;
struct InferRequest;
struct Tensor;
struct Port;  // ov_output_const_port_t

using Status = int;  // 0: success

enum ElementType : int {
  kDynamic = 0,
  kBoolean = 1,
  kBf16 = 2,
  kF16 = 3,
  kF32 = 4,
  kF64 = 5,
  kI8 = 7,
  kI16 = 8,
  kI32 = 9,
  kI64 = 10,
  kU8 = 16,
  kU16 = 17,
  kU32 = 18,
  kU64 = 19,
  kString = 23,  // elements are std::string
};

struct Version {
  const char* build_number;
  const char* description;
};

struct Devices {
  char** names;
  size_t size;
};

struct Shape {
  int64_t rank;
  int64_t* sizes;
};

/// Both bounds are inclusive; max is -1 where there is none.
struct Dimension {
  int64_t min;
  int64_t max;
};

struct PartialShape {
  Dimension rank;  // min and max differ where the rank is not known
  Dimension* sizes;
};

/// X(name in this code, name in the library, result, arguments)
#define MODELMILL_OV_FUNCTIONS(X)                                                                                 \
  X(version_get, ov_get_openvino_version, Status, (Version*))                                                     \
  X(version_free, ov_version_free, void, (Version*))                                                              \
  X(last_error, ov_get_last_err_msg, const char*, ())                                                             \
  X(text_free, ov_free, void, (const char*))                                                                      \
  X(core_create, ov_core_create, Status, (Core**))                                                                \
  X(core_property, ov_core_get_property, Status, (const Core*, const char*, const char*, char**))                 \
  X(core_set, ov_core_set_property, Status, (const Core*, const char*, ...))                                      \
  X(core_add_extension, ov_core_add_extension, Status, (const Core*, const char*))                                \
  X(core_read_model, ov_core_read_model, Status, (const Core*, const char*, const char*, Model**))                \
  X(core_compile_model, ov_core_compile_model, Status,                                                            \
    (const Core*, const Model*, const char*, size_t, CompiledModel**, ...))                                       \
  X(core_devices, ov_core_get_available_devices, Status, (const Core*, Devices*))                                 \
  X(devices_free, ov_available_devices_free, void, (Devices*))                                                    \
  X(model_free, ov_model_free, void, (Model*))                                                                    \
  X(model_inputs, ov_model_inputs_size, Status, (const Model*, size_t*))                                          \
  X(model_outputs, ov_model_outputs_size, Status, (const Model*, size_t*))                                        \
  X(model_input, ov_model_const_input_by_index, Status, (const Model*, size_t, Port**))                           \
  X(model_output, ov_model_const_output_by_index, Status, (const Model*, size_t, Port**))                         \
  X(model_reshape, ov_model_reshape_by_port_indexes, Status,                                                      \
    (const Model*, const size_t*, const PartialShape*, size_t))                                                   \
  X(port_free, ov_output_const_port_free, void, (Port*))                                                          \
  X(port_name, ov_port_get_any_name, Status, (const Port*, char**))                                               \
  X(port_type, ov_port_get_element_type, Status, (const Port*, ElementType*))                                     \
  X(port_shape, ov_port_get_partial_shape, Status, (const Port*, PartialShape*))                                  \
  X(partial_shape_free, ov_partial_shape_free, void, (PartialShape*))                                             \
  X(compiled_model_free, ov_compiled_model_free, void, (CompiledModel*))                                          \
  X(compiled_model_property, ov_compiled_model_get_property, Status, (const CompiledModel*, const char*, char**)) \
  X(infer_request_create, ov_compiled_model_create_infer_request, Status, (const CompiledModel*, InferRequest**)) \
  X(infer_request_free, ov_infer_request_free, void, (InferRequest*))                                             \
  X(infer_request_set_input, ov_infer_request_set_input_tensor_by_index, Status,                                  \
    (InferRequest*, size_t, const Tensor*))                                                                       \
  X(infer_request_set_output, ov_infer_request_set_output_tensor_by_index, Status,                                \
    (InferRequest*, size_t, const Tensor*))                                                                       \
  X(infer_request_output, ov_infer_request_get_output_tensor_by_index, Status,                                    \
    (const InferRequest*, size_t, Tensor**))                                                                      \
  X(infer_request_infer, ov_infer_request_infer, Status, (InferRequest*))                                         \
  X(tensor_create, ov_tensor_create, Status, (ElementType, Shape, Tensor**))                                      \
  X(tensor_on, ov_tensor_create_from_host_ptr, Status, (ElementType, Shape, void*, Tensor**))                     \
  X(tensor_shape, ov_tensor_get_shape, Status, (const Tensor*, Shape*))                                           \
  X(tensor_set_shape, ov_tensor_set_shape, Status, (Tensor*, Shape))                                              \
  X(tensor_type, ov_tensor_get_element_type, Status, (const Tensor*, ElementType*))                               \
  X(tensor_bytes, ov_tensor_get_byte_size, Status, (const Tensor*, size_t*))                                      \
  X(tensor_data, ov_tensor_data, Status, (const Tensor*, void**))                                                 \
  X(tensor_free, ov_tensor_free, void, (Tensor*))                                                                 \
  X(shape_free, ov_shape_free, Status, (Shape*))

/// The library's functions.
struct Api {
#define MODELMILL_OV_MEMBER(name, symbol, result, arguments) result(*name) arguments = nullptr;
  MODELMILL_OV_FUNCTIONS(MODELMILL_OV_MEMBER)
#undef MODELMILL_OV_MEMBER
};

}  // namespace modelmill::ov
