#pragma once

#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "dialect/number_arrays.h"
#include "tensor/tensor.h"

namespace modelmill {

/// Parses one JSON document. `readable` is how many bytes may be read from the text's start on; with 64 beyond its end
/// nothing is copied. NaN, Infinity and -Infinity, which JSON lacks and Python writes, come out as strings of those
/// names. The element lives until the parser's next use. INVALID_ARGUMENT says what is wrong.
Result<simdjson::dom::element> parse_json(simdjson::dom::parser& parser, std::string_view text, size_t readable);

/// How many bytes may be read from the start of a body on.
inline size_t readable_from(const Bytes& body) {
  const MemoryRef& memory = body.memory();
  return memory ? static_cast<size_t>(memory->data() + memory->size() - body.data()) : body.size();
}

/// A parser that is the thread's own, so that its buffers are made once; what a large document made it grow to is given
/// back. One at a time on a thread, and not across calls that may parse.
class ThreadJsonParser {
 public:
  ThreadJsonParser();
  ~ThreadJsonParser();
  ThreadJsonParser(const ThreadJsonParser&) = delete;
  ThreadJsonParser& operator=(const ThreadJsonParser&) = delete;
  simdjson::dom::parser& operator*() const { return parser_; }

 private:
  simdjson::dom::parser& parser_;
};

/// How JSON values become elements.
enum class JsonNumbers {
  kExact,  // the V2 protocol: integers for integer types, true and false for BOOL, no half-precision types
  kCast,   // for people: whole numbers in any notation for integers, 0 and 1 for BOOL, FP16 and BF16 too
};

/// The elements of `data`, an array nested in any way (or one value), as `count` elements of `dtype` in 64-byte-aligned
/// memory. INVALID_ARGUMENT names the first value that does not fit, or how many there are instead of `count`.
/// `apart`: what was set aside of the text that `data` comes from, or null.
Result<Bytes> read_json_elements(simdjson::dom::element data, DataType dtype, int64_t count, JsonNumbers numbers,
                                 const NumberArrays* apart = nullptr);

/// The same for all types but BYTES, appended: for who puts a tensor together of many values.
Status append_parsed_elements(simdjson::dom::element data, DataType dtype, int64_t count, JsonNumbers numbers,
                              const NumberArrays* apart, std::string& out);

/// Appends one value, which is no array, as kCast has it: without memory of its own, for who has many. INVALID_ARGUMENT
/// shows a value that does not fit.
Status append_json_element(simdjson::dom::element value, DataType dtype, std::string& out);

}  // namespace modelmill
