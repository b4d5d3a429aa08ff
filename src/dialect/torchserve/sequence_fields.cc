#include "dialect/torchserve/sequence_fields.h"

#include <strings.h>
#include <sys/random.h>

#include <array>
#include <string_view>

#include "base/check.h"
#include "base/hex_text.h"

namespace modelmill::torchserve {
namespace {

bool is_true(std::string_view value) { return value.size() == 4 && strncasecmp(value.data(), "true", 4) == 0; }

}  // namespace

SequenceMarks sequence_marks(const Fields& fields, const SequenceNames& names) {
  SequenceMarks marks;
  for (const Field& field : fields) {
    if (field.name == names.start) marks.start = is_true(field.value.view());
    if (field.name == names.end) marks.end = is_true(field.value.view());
  }
  return marks;
}

Fields without_marks(const Fields& fields, const SequenceNames& names) {
  Fields out;
  for (const Field& field : fields)
    if (field.name != names.start && field.name != names.end) out.push_back(field);
  return out;
}

NamedTexts sequence_headers(const std::string& id, const SequenceMarks& marks, const SequenceNames& names) {
  NamedTexts headers{{names.id, id}};
  if (marks.start) headers.emplace_back(names.start, "true");
  if (marks.end) headers.emplace_back(names.end, "true");
  return headers;
}

std::string new_sequence_id() {
  std::array<unsigned char, 16> bits{};
  MM_CHECK(getrandom(bits.data(), bits.size(), 0) == static_cast<ssize_t>(bits.size()), "no random bytes");
  bits[6] = static_cast<unsigned char>((bits[6] & 0x0f) | 0x40);  // version 4
  bits[8] = static_cast<unsigned char>((bits[8] & 0x3f) | 0x80);
  std::string id = hex_text(bits);
  for (const size_t at : {20, 16, 12, 8}) id.insert(at, 1, '-');
  return "ts-seq-" + id;
}

}  // namespace modelmill::torchserve
