#include "ov.h"

#include <array>
#include <sstream>

namespace modelmill::ov {
namespace {

struct TypePair {
  mm_dtype ours;
  ElementType theirs;
};
constexpr TypePair kTypes[] = {{MM_BOOL, kBoolean},  {MM_UINT8, kU8}, {MM_UINT16, kU16}, {MM_UINT32, kU32},
                               {MM_UINT64, kU64},    {MM_INT8, kI8},  {MM_INT16, kI16},  {MM_INT32, kI32},
                               {MM_INT64, kI64},     {MM_FP16, kF16}, {MM_FP32, kF32},   {MM_FP64, kF64},
                               {MM_STRING, kString}, {MM_BF16, kBf16}};

/// Lines that tell where in OpenVINO's sources it happened, and not what.
bool tells_nothing(const std::string& line) {
  return line.empty() || line.starts_with("Exception from ") || line == "FrontEnd API failed with GeneralFailure:" ||
         (line.starts_with("Check '") && line.find("' failed at ") != std::string::npos && line.ends_with(':'));
}

}  // namespace

std::string last_error() {
  const char* text = api->last_error();
  if (text == nullptr) return "an error without a word";
  std::istringstream lines(text);
  api->text_free(text);
  std::string out, first;
  for (std::string line; std::getline(lines, line);) {
    if (first.empty()) first = line;
    if (!tells_nothing(line)) out += (out.empty() ? "" : " ") + line;
  }
  return out.empty() ? first : out;
}

void check(Status status, const std::string& context, mm_code code) {
  if (status == 0) return;
  throw backend::Error(code, (context.empty() ? "" : context + ": ") + "OpenVINO: " + last_error() + " (" +
                                 std::to_string(status) + ")");
}

mm_dtype from_ov(ElementType type) {
  for (const TypePair& pair : kTypes)
    if (pair.theirs == type) return pair.ours;
  return MM_DTYPE_INVALID;
}

ElementType to_ov(mm_dtype dtype) {
  for (const TypePair& pair : kTypes)
    if (pair.ours == dtype) return pair.theirs;
  return kDynamic;
}

}  // namespace modelmill::ov
