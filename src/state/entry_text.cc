#include "state/entry_text.h"

#include <simdjson.h>
#include <zlib.h>

#include <algorithm>

#include "base/json_text.h"

namespace modelmill {
namespace {

Status not_whole(const std::string& why) { return {Code::kDataLoss, "it is not whole: " + why}; }

uint64_t checksum(std::string_view value) {
  return ::crc32_z(0, reinterpret_cast<const Bytef*>(value.data()), value.size());
}

std::string_view header_line(std::string_view text) { return text.substr(0, text.find('\n')); }

Result<int64_t> format_of(std::string_view text) {
  simdjson::dom::parser parser;
  int64_t format = 0;
  if (parser.parse(simdjson::padded_string(header_line(text)))["format"].get(format) != simdjson::SUCCESS)
    return not_whole("its first line names no format");
  return format;
}

Result<StoreEntry> read_format_1(std::string_view text) {
  const std::string_view line = header_line(text);
  simdjson::dom::parser parser;
  simdjson::dom::element json;
  StoreEntry entry;
  std::string_view key;
  uint64_t bytes = 0;
  uint64_t crc = 0;
  if (parser.parse(simdjson::padded_string(line)).get(json) != simdjson::SUCCESS ||
      json["key"].get(key) != simdjson::SUCCESS || json["bytes"].get(bytes) != simdjson::SUCCESS ||
      json["crc32"].get(crc) != simdjson::SUCCESS || json["revision"].get(entry.stored.revision) != simdjson::SUCCESS ||
      entry.stored.revision == 0)
    return not_whole("its first line can't be read");
  std::string_view value = text.substr(std::min(line.size() + 1, text.size()));
  if (!value.ends_with('\n') || value.size() - 1 != bytes)
    return not_whole("its value has not the " + std::to_string(bytes) + " bytes that its first line says");
  value.remove_suffix(1);
  if (checksum(value) != crc) return not_whole("its checksum is wrong");
  entry.key = key;
  entry.stored.value = value;
  return entry;
}

}  // namespace

const StoreFormats& StoreFormats::of_this_release() {
  static const StoreFormats formats{1, {{1, read_format_1}}};
  return formats;
}

std::string StoreFormats::readable() const {
  std::string out;
  for (const auto& [format, reader] : readers) out += (out.empty() ? "" : " and ") + std::to_string(format);
  return out;
}

std::string entry_text(int format, const std::string& key, const StoredValue& stored) {
  JsonWriter header;
  header.begin_object().field("format", format).field("key", key).field("revision", stored.revision);
  header.field("bytes", uint64_t{stored.value.size()}).field("crc32", checksum(stored.value)).end_object();
  return header.take() + '\n' + stored.value + '\n';
}

Result<StoreEntry> read_entry(const StoreFormats& formats, std::string_view text) {
  MM_ASSIGN_OR_RETURN(const int64_t format, format_of(text));
  const auto reader = formats.readers.find(static_cast<int>(format));
  if (reader == formats.readers.end())
    return failed_precondition("its format is " + std::to_string(format) + ", and this release reads " +
                               formats.readable());
  return reader->second(text);
}

}  // namespace modelmill
