#include "cli/verify/answer_difference.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <string_view>
#include <utility>

#include "cli/json_fields.h"
#include "route/output_values.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

constexpr std::string_view kHeadLength = "inference-header-content-length";

/// "application/json" of "Application/JSON; charset=utf-8".
std::string media_type(const ClientReply& reply) {
  std::string type(reply.header("content-type").substr(0, reply.header("content-type").find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  for (char& c : type) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return type;
}

/// The place of each binary tensor in an answer of the V2 protocol.
struct BinaryTensor {
  DataType dtype = DataType::kInvalid;
  std::string_view bytes;
};
struct BinaryAnswer {
  std::string_view head;
  std::map<std::string, BinaryTensor> tensors;
  bool whole = true;  // its lengths fit
};

BinaryAnswer split(const ClientReply& reply, simdjson::dom::parser& parser) {
  BinaryAnswer out;
  const std::string_view body = reply.body, length = reply.header(kHeadLength);
  size_t head = 0;
  const auto read = std::from_chars(length.data(), length.data() + length.size(), head);
  if (read.ec != std::errc() || head > body.size()) return {body, {}, false};
  out.head = body.substr(0, head);
  std::string_view rest = body.substr(head);
  element parsed;
  if (parser.parse(out.head.data(), out.head.size()).get(parsed)) return {body, {}, false};
  for (const element& output : list_of(parsed, "outputs")) {
    uint64_t size = 0;
    if (output["parameters"]["binary_data_size"].get(size)) continue;
    if (size > rest.size()) return {body, {}, false};
    out.tensors[text_of(output, "name")] = {parse_dtype(text_of(output, "datatype")).value_or(DataType::kInvalid),
                                            rest.substr(0, size)};
    rest.remove_prefix(size);
  }
  out.whole = rest.empty();
  return out;
}

void compare_bytes(const std::string& place, std::string_view expected, std::string_view got, AnswerDifferences& into) {
  if (expected == got) return;
  if (expected.size() != got.size())
    return into.add({place, std::to_string(expected.size()) + " bytes", std::to_string(got.size()) + " bytes"});
  const auto at = std::mismatch(expected.begin(), expected.end(), got.begin()).first - expected.begin();
  const auto byte = [at](std::string_view bytes) {
    return "byte " + std::to_string(static_cast<unsigned char>(bytes[static_cast<size_t>(at)]));
  };
  into.add({place + ", at " + std::to_string(at), byte(expected), byte(got)});
}

void compare_tensors(const std::string& name, const BinaryTensor& expected, const BinaryTensor& got,
                     const ComparisonRules& rules, AnswerDifferences& into) {
  const std::string place = "outputs[" + name + "]";
  const size_t width = dtype_size(expected.dtype);
  const bool numbers = width > 0 && expected.dtype == got.dtype && expected.bytes.size() == got.bytes.size() &&
                       expected.bytes.size() % width == 0;
  if (!numbers) return compare_bytes(place, expected.bytes, got.bytes, into);
  if (expected.bytes == got.bytes) return;
  const auto values_of = [&](const BinaryTensor& tensor) {
    const auto count = static_cast<int64_t>(tensor.bytes.size() / width);
    return OutputValues(Tensor{name, tensor.dtype, {count}, {Bytes::copy_of(tensor.bytes)}});
  };
  const OutputValues left = values_of(expected), right = values_of(got);
  const bool fractions = expected.dtype == DataType::kFp16 || expected.dtype == DataType::kBf16 ||
                         expected.dtype == DataType::kFp32 || expected.dtype == DataType::kFp64;
  for (size_t i = 0; i < left.size(); ++i) {
    const bool same =
        fractions ? are_close(left.number(i), right.number(i), rules.tolerance) : left.raw(i) == right.raw(i);
    if (!same)
      into.add({place + "[" + std::to_string(i) + "]", difference_number(left.number(i)),
                difference_number(right.number(i))});
  }
}

void compare_binary(const ClientReply& expected, const ClientReply& got, const ComparisonRules& rules,
                    AnswerDifferences& into) {
  simdjson::dom::parser parsers[2], heads[2];
  const BinaryAnswer left = split(expected, parsers[0]), right = split(got, parsers[1]);
  if (!left.whole || !right.whole)
    return into.add({"body", left.whole ? "tensors" : "lengths that don't fit",
                     right.whole ? "tensors" : "lengths that don't fit"});
  element left_head, right_head;
  if (heads[0].parse(left.head.data(), left.head.size()).get(left_head) ||
      heads[1].parse(right.head.data(), right.head.size()).get(right_head))
    return;  // split() has read them
  compare_json(left_head, right_head, rules, into);
  for (const auto& [name, tensor] : left.tensors)
    if (const auto other = right.tensors.find(name);
        other != right.tensors.end() && !rules.ignored.contains("outputs[*].data"))
      compare_tensors(name, tensor, other->second, rules, into);
}

void compare_bodies(const ClientReply& expected, const ClientReply& got, const ComparisonRules& rules,
                    AnswerDifferences& into) {
  if (expected.body == got.body) return;
  simdjson::dom::parser parsers[2];
  element left, right;
  const bool is_left = !parsers[0].parse(expected.body).get(left), is_right = !parsers[1].parse(got.body).get(right);
  if (is_left && is_right) return compare_json(left, right, rules, into);
  compare_bytes("body", expected.body, got.body, into);
}

std::string status_text(const ClientReply& reply) {
  constexpr size_t kLongest = 200;
  std::string body = reply.body.substr(0, kLongest);
  std::replace(body.begin(), body.end(), '\n', ' ');
  return std::to_string(reply.status) + (reply.status >= 400 && !body.empty() ? " " + body : "");
}

}  // namespace

AnswerDifferences compare_answers(const std::string& path, const ClientReply& expected, const ClientReply& got,
                                  ComparisonRules rules) {
  AnswerDifferences out;
  if (expected.status != got.status) {
    out.add({"status", status_text(expected), status_text(got)});
    return out;
  }
  rules.ignored.insert("id");
  if (expected.status >= 400) rules.ignored.insert({"error", "message", "code", "type"});
  const std::string_view plain = std::string_view(path).substr(0, path.find('?'));
  if (plain == "/v2" || plain == "/v2/") rules.ignored.insert({"name", "version", "extensions"});
  const std::string left = media_type(expected), right = media_type(got);
  if (left != right) out.add({"content-type", left.empty() ? "nothing" : left, right.empty() ? "nothing" : right});
  const bool binary = !expected.header(kHeadLength).empty(), other = !got.header(kHeadLength).empty();
  if (binary != other)
    out.add({"body", binary ? "binary tensors" : "no binary tensors", other ? "binary tensors" : "no binary tensors"});
  else if (binary)
    compare_binary(expected, got, rules, out);
  else
    compare_bodies(expected, got, rules, out);
  return out;
}

}  // namespace modelmill
