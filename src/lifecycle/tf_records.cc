#include "lifecycle/tf_records.h"

#include <bit>
#include <cstdint>
#include <string>

#include "storage/checksum.h"

namespace modelmill {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr size_t kSumBytes = 4;

uint64_t little_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

void append_little_endian(std::string& out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

/// CRC-32C, turned and shifted by a constant so that sums of data that holds sums stay good.
uint32_t masked_sum(std::string_view bytes) {
  constexpr uint32_t kMask = 0xa282ead8;
  uint32_t sum = 0;
  for (const char byte : digest_of(ChecksumKind::kCrc32c, bytes).bytes)
    sum = sum << 8 | static_cast<unsigned char>(byte);
  return std::rotr(sum, 15) + kMask;
}

/// Takes `size` bytes and their checksum off `rest`.
Result<std::string_view> take(std::string_view& rest, uint64_t size, const std::string& what) {
  if (rest.size() < kSumBytes || size > rest.size() - kSumBytes)
    return Status(Code::kDataLoss, what + " is cut: the file ends inside of it");
  const std::string_view bytes = rest.substr(0, size);
  if (masked_sum(bytes) != little_endian(rest.substr(size, kSumBytes)))
    return Status(Code::kDataLoss, what + " is damaged: its checksum is wrong");
  rest.remove_prefix(size + kSumBytes);
  return bytes;
}

}  // namespace

void append_tf_record(std::string& file, std::string_view record) {
  std::string length;
  append_little_endian(length, record.size(), kLengthBytes);
  file += length;
  append_little_endian(file, masked_sum(length), kSumBytes);
  file += record;
  append_little_endian(file, masked_sum(record), kSumBytes);
}

Result<std::vector<std::string_view>> read_tf_records(std::string_view file, size_t most) {
  std::vector<std::string_view> out;
  for (std::string_view rest = file; !rest.empty();) {
    if (out.size() == most)
      return invalid_argument("there are more than " + std::to_string(most) + " records; remove some");
    const std::string what = "record " + std::to_string(out.size() + 1);
    MM_ASSIGN_OR_RETURN(const std::string_view length, take(rest, kLengthBytes, what));
    MM_ASSIGN_OR_RETURN(const std::string_view record, take(rest, little_endian(length), what));
    out.push_back(record);
  }
  return out;
}

}  // namespace modelmill
