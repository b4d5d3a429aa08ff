#include "tensor/csv.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>

#include "tensor/cast.h"
#include "tensor/float16.h"

namespace modelmill {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

template <typename T>
std::optional<T> number(std::string_view text) {
  text = trimmed(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_number(std::string_view text) { return number<double>(text).has_value(); }

/// Splits the text into lines of fields.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ == text_.size(); }
  size_t line() const { return line_; }

  /// One record; empty for a blank line.
  Result<std::vector<std::string>> record() {
    std::vector<std::string> fields;
    const size_t first_line = line_;
    bool blank = true;
    for (;;) {
      std::string field;
      const bool quoted = !at_end() && text_[at_] == '"';
      if (quoted && !quoted_field(field)) {
        return invalid_argument("line " + std::to_string(first_line) + ": a quoted field has no closing quote");
      }
      while (!at_end() && text_[at_] != ',' && text_[at_] != '\n') field += text_[at_++];
      if (!field.empty() && field.back() == '\r') field.pop_back();
      blank = blank && !quoted && trimmed(field).empty();
      fields.push_back(std::move(field));
      if (at_end()) break;
      if (text_[at_++] == '\n') {
        ++line_;
        break;
      }
      blank = false;
    }
    if (blank) fields.clear();
    return fields;
  }

 private:
  bool quoted_field(std::string& field) {
    ++at_;
    while (!at_end()) {
      const char c = text_[at_++];
      if (c == '\n') ++line_;
      if (c != '"') {
        field += c;
      } else if (!at_end() && text_[at_] == '"') {
        field += text_[at_++];
      } else {
        return true;
      }
    }
    return false;
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t line_ = 1;
};

bool looks_like_header(const std::vector<std::vector<std::string>>& rows) {
  if (rows.size() < 2) return false;
  for (size_t column = 0; column < rows[0].size(); ++column) {
    if (is_number(rows[0][column])) continue;
    for (size_t row = 1; row < rows.size(); ++row) {
      if (is_number(rows[row][column])) return true;
    }
  }
  return false;
}

/// The fields as T, or a status that names the first that is none.
template <typename T>
Result<Bytes> numbers(const CsvTable& table, size_t columns) {
  MemoryRef memory = Memory::allocate(table.rows.size() * columns * sizeof(T));
  T* out = reinterpret_cast<T*>(memory->data());
  for (size_t row = 0; row < table.rows.size(); ++row) {
    for (size_t column = 0; column < columns; ++column) {
      const auto value = number<T>(table.rows[row][column]);
      if (!value) {
        return invalid_argument("row " + std::to_string(row + 1) + ", column " + std::to_string(column + 1) + ": '" +
                                table.rows[row][column] + "' is not a number of the type that is needed");
      }
      *out++ = *value;
    }
  }
  return Bytes(std::move(memory));
}

Bytes strings(const CsvTable& table) {
  std::string out;
  for (const auto& row : table.rows) {
    for (const std::string& field : row) {
      const auto length = static_cast<uint32_t>(field.size());
      out.append(reinterpret_cast<const char*>(&length), sizeof length);
      out += field;
    }
  }
  return Bytes::copy_of(out);
}

void append_field(std::string& out, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

template <typename T>
void append_number(std::string& out, T value) {
  char text[40];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

/// Appends the element at `at` and returns where the next one begins.
const std::byte* append_element(std::string& out, DataType dtype, const std::byte* at) {
  const auto load = [&at]<typename T>(T value) {
    std::memcpy(&value, at, sizeof value);
    at += sizeof value;
    return value;
  };
  switch (dtype) {
    case DataType::kBool:
    case DataType::kUint8: append_number(out, load(uint8_t{})); break;
    case DataType::kUint16: append_number(out, load(uint16_t{})); break;
    case DataType::kUint32: append_number(out, load(uint32_t{})); break;
    case DataType::kUint64: append_number(out, load(uint64_t{})); break;
    case DataType::kInt8: append_number(out, load(int8_t{})); break;
    case DataType::kInt16: append_number(out, load(int16_t{})); break;
    case DataType::kInt32: append_number(out, load(int32_t{})); break;
    case DataType::kInt64: append_number(out, load(int64_t{})); break;
    case DataType::kFp16: append_number(out, half_to_float(load(uint16_t{}))); break;
    case DataType::kBf16: append_number(out, bfloat16_to_float(load(uint16_t{}))); break;
    case DataType::kFp32: append_number(out, load(float{})); break;
    case DataType::kFp64: append_number(out, load(double{})); break;
    case DataType::kBytes: {
      const auto length = load(uint32_t{});
      append_field(out, {reinterpret_cast<const char*>(at), length});
      at += length;
      break;
    }
    case DataType::kInvalid: break;
  }
  return at;
}

}  // namespace

Result<CsvTable> parse_csv(std::string_view text, bool header_expected) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a spreadsheet's byte order mark
  CsvTable table;
  Scanner scanner(text);
  while (!scanner.at_end()) {
    const size_t line = scanner.line();
    MM_ASSIGN_OR_RETURN(std::vector<std::string> fields, scanner.record());
    if (fields.empty()) continue;
    if (!table.rows.empty() && fields.size() != table.rows[0].size()) {
      return invalid_argument("line " + std::to_string(line) + " has " + std::to_string(fields.size()) +
                              " fields, the first line has " + std::to_string(table.rows[0].size()));
    }
    table.rows.push_back(std::move(fields));
  }
  if (!table.rows.empty() && (header_expected || looks_like_header(table.rows))) {
    table.header = std::move(table.rows.front());
    table.rows.erase(table.rows.begin());
  }
  return table;
}

Result<Tensor> csv_to_tensor(const CsvTable& table, DataType dtype) {
  const size_t columns = table.rows.empty() ? table.header.size() : table.rows[0].size();
  Tensor tensor;
  tensor.shape = {static_cast<int64_t>(table.rows.size()), static_cast<int64_t>(columns)};
  if (dtype == DataType::kBytes) {
    tensor.dtype = DataType::kBytes;
    tensor.data.push_back(strings(table));
    return tensor;
  }
  // 64-bit integers are read as such; for everything else a double holds what the text says.
  const bool is_signed = dtype == DataType::kInt64;
  const bool is_unsigned = dtype == DataType::kUint64;
  tensor.dtype = is_signed || is_unsigned ? dtype : DataType::kFp64;
  MM_ASSIGN_OR_RETURN(Bytes bytes, is_signed     ? numbers<int64_t>(table, columns)
                                   : is_unsigned ? numbers<uint64_t>(table, columns)
                                                 : numbers<double>(table, columns));
  tensor.data.push_back(std::move(bytes));
  return cast_tensor(tensor, dtype);
}

std::string write_csv(const Tensor& tensor) {
  std::string out;
  const Bytes bytes = tensor.contiguous();
  const int64_t count = element_count(dims(tensor.shape)).value_or(0);
  const int64_t rows = tensor.shape.empty() ? 1 : tensor.shape[0];
  const int64_t columns = rows > 0 ? count / rows : 0;
  const std::byte* at = bytes.data();
  for (int64_t row = 0; row < rows && columns > 0; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      if (column != 0) out += ',';
      at = append_element(out, tensor.dtype, at);
    }
    out += '\n';
  }
  return out;
}

}  // namespace modelmill
