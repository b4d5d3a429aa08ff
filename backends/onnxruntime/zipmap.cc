#include "zipmap.h"

namespace modelmill::ort {
namespace {

ONNXType kind_of(const OrtTypeInfo* type) {
  ONNXType kind = ONNX_TYPE_UNKNOWN;
  check(api->GetOnnxTypeFromTypeInfo(type, &kind));
  return kind;
}

OrtAllocator* default_allocator() {
  OrtAllocator* allocator = nullptr;
  check(api->GetAllocatorWithDefaultOptions(&allocator));
  return allocator;
}

/// Part `index` of a sequence or a map.
Handle<OrtValue> part_of(const OrtValue* value, int index) {
  OrtValue* part = nullptr;
  check(api->GetValue(value, index, default_allocator(), &part));
  return Handle<OrtValue>(part);
}

}  // namespace

bool is_zipmap(const OrtTypeInfo* type) {
  if (kind_of(type) != ONNX_TYPE_SEQUENCE) return false;
  const OrtSequenceTypeInfo* sequence = nullptr;  // the type's own
  check(api->CastTypeInfoToSequenceTypeInfo(type, &sequence));
  OrtTypeInfo* made = nullptr;
  check(api->GetSequenceElementType(sequence, &made));
  const Handle<OrtTypeInfo> element(made);
  if (kind_of(made) != ONNX_TYPE_MAP) return false;
  const OrtMapTypeInfo* map = nullptr;
  check(api->CastTypeInfoToMapTypeInfo(made, &map));
  OrtTypeInfo* made_value = nullptr;
  check(api->GetMapValueType(map, &made_value));
  const Handle<OrtTypeInfo> value(made_value);
  if (kind_of(made_value) != ONNX_TYPE_TENSOR) return false;
  const OrtTensorTypeAndShapeInfo* tensor = nullptr;
  check(api->CastTypeInfoToTensorInfo(made_value, &tensor));
  ONNXTensorElementDataType numbers = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  check(api->GetTensorElementType(tensor, &numbers));
  return numbers == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
}

UnzippedMaps unzip_maps(const OrtValue* value) {
  constexpr int kValues = 1;  // of a map; part 0 has the keys, in order
  UnzippedMaps out;
  size_t rows = 0;
  check(api->GetValueCount(value, &rows));
  out.rows = static_cast<int64_t>(rows);
  for (size_t i = 0; i < rows; ++i) {
    const Handle<OrtValue> map = part_of(value, static_cast<int>(i));
    const Handle<OrtValue> values = part_of(map.get(), kValues);
    OrtTensorTypeAndShapeInfo* made = nullptr;
    check(api->GetTensorTypeAndShape(values.get(), &made));
    const Handle<OrtTensorTypeAndShapeInfo> info(made);
    size_t count = 0;
    check(api->GetTensorShapeElementCount(made, &count));
    if (i == 0) out.classes = static_cast<int64_t>(count);
    if (count != static_cast<size_t>(out.classes))
      throw backend::Error(MM_INTERNAL, "the maps of an output have unequal numbers of classes");
    void* numbers = nullptr;
    check(api->GetTensorMutableData(values.get(), &numbers));
    out.numbers.insert(out.numbers.end(), static_cast<float*>(numbers), static_cast<float*>(numbers) + count);
  }
  return out;
}

}  // namespace modelmill::ort
