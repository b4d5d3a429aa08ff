#include "tensor/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "tensor/cast.h"

namespace modelmill {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);

Status broken(std::string_view why) { return invalid_argument("the .npy file is broken: " + std::string(why)); }

/// What the header of a .npy file says.
struct Header {
  char byte_order = '|';
  char kind = 0;     // b, i, u, f, S, U
  size_t width = 0;  // bytes of an element; characters for U
  bool fortran_order = false;
  Shape shape;
};

/// Reads the header's text, a Python dict of three keys.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  Status parse(Header& header) {
    bool descr = false, order = false, shape = false;
    if (!take('{')) return broken("its header is no dict");
    while (!take('}')) {
      std::string_view key;
      if (!string(key) || !take(':')) return broken("its header is no dict of strings");
      if (key == "descr") {
        MM_RETURN_IF_ERROR(parse_descr(header));
        descr = true;
      } else if (key == "fortran_order") {
        if (!boolean(header.fortran_order)) return broken("fortran_order is neither True nor False");
        order = true;
      } else if (key == "shape") {
        if (!parse_shape(header.shape)) return broken("its shape is no tuple of sizes");
        shape = true;
      } else {
        return broken("its header has the unknown key '" + std::string(key) + "'");
      }
      take(',');
    }
    return descr && order && shape ? ok_status() : broken("its header lacks descr, fortran_order or shape");
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    skip_space();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  bool string(std::string_view& out) {
    skip_space();
    if (at_ == text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) return false;
    const char quote = text_[at_];
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return false;
    out = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return true;
  }
  bool boolean(bool& out) {
    out = take_word("True");
    return out || take_word("False");
  }
  bool parse_shape(Shape& shape) {
    if (!take('(')) return false;
    while (!take(')')) {
      skip_space();
      int64_t size = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0 || shape.size() == kMaxRank) return false;
      at_ = end - text_.data();
      shape.push_back(size);
      take(',');
    }
    return true;
  }
  Status parse_descr(Header& header) {
    std::string_view text;
    if (!string(text)) {
      return invalid_argument("the .npy file holds a structured array; save each of its fields in a file of its own");
    }
    if (text.size() < 2) return broken("the dtype '" + std::string(text) + "' is not known");
    header.byte_order = text[0];
    header.kind = text[1];
    const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), header.width);
    if (header.kind == 'O') {
      return invalid_argument(
          "the .npy file holds Python objects (a pickle), which are not read; save numbers or strings");
    }
    if (error != std::errc() || end != text.data() + text.size()) {
      return broken("the dtype '" + std::string(text) + "' is not known");
    }
    return ok_status();
  }

  std::string_view text_;
  size_t at_ = 0;
};

DataType numeric_dtype(char kind, size_t width) {
  switch (kind) {
    case 'b': return width == 1 ? DataType::kBool : DataType::kInvalid;
    case 'i':
      return width == 1   ? DataType::kInt8
             : width == 2 ? DataType::kInt16
             : width == 4 ? DataType::kInt32
             : width == 8 ? DataType::kInt64
                          : DataType::kInvalid;
    case 'u':
      return width == 1   ? DataType::kUint8
             : width == 2 ? DataType::kUint16
             : width == 4 ? DataType::kUint32
             : width == 8 ? DataType::kUint64
                          : DataType::kInvalid;
    case 'f':
      return width == 2   ? DataType::kFp16
             : width == 4 ? DataType::kFp32
             : width == 8 ? DataType::kFp64
                          : DataType::kInvalid;
    default: return DataType::kInvalid;
  }
}

/// Finds header and data. `data` is what is behind the header.
Result<Header> read_header(const Bytes& file, Bytes& data) {
  const std::string_view text = file.view();
  if (!is_npy(text)) return broken("it does not begin as .npy files do");
  if (text.size() < 10) return broken("it ends inside its header");
  const int major = static_cast<unsigned char>(text[6]);
  if (major < 1 || major > 3) return broken("its format version " + std::to_string(major) + " is not known");
  const size_t length_size = major == 1 ? 2 : 4;
  const size_t begin = 8 + length_size;
  size_t length = 0;
  if (text.size() < begin) return broken("it ends inside its header");
  std::memcpy(&length, text.data() + 8, length_size);
  if (text.size() - begin < length) return broken("it ends inside its header");
  Header header;
  MM_RETURN_IF_ERROR(HeaderParser(text.substr(begin, length)).parse(header));
  data = file.slice(begin + length, file.size() - begin - length);
  return header;
}

/// Elements of `width` bytes turned from column-major to row-major order.
Bytes to_row_major(const Bytes& data, const Shape& shape, size_t width) {
  MemoryRef memory = Memory::allocate(data.size());
  const size_t count = data.size() / width;
  boost::container::small_vector<size_t, 8> stride(shape.size()), index(shape.size());
  size_t step = width;
  for (size_t i = 0; i < shape.size(); ++i) {
    stride[i] = step;
    step *= static_cast<size_t>(shape[i]);
  }
  size_t offset = 0;
  for (size_t n = 0; n < count; ++n) {
    std::memcpy(memory->data() + n * width, data.data() + offset, width);
    for (size_t d = shape.size(); d-- > 0;) {
      offset += stride[d];
      if (++index[d] < static_cast<size_t>(shape[d])) break;
      offset -= stride[d] * static_cast<size_t>(shape[d]);
      index[d] = 0;
    }
  }
  return Bytes(std::move(memory));
}

Bytes byte_swapped(const Bytes& data, size_t width) {
  MemoryRef memory = Memory::allocate(data.size());
  std::memcpy(memory->data(), data.data(), data.size());
  for (size_t at = 0; at < data.size(); at += width) {
    std::reverse(memory->data() + at, memory->data() + at + width);
  }
  return Bytes(std::move(memory));
}

void append_string(std::string& out, std::string_view text) {
  const auto length = static_cast<uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&length), sizeof length);
  out += text;
}

void append_utf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18 & 7));
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

/// NumPy pads strings with zeros to one width.
Bytes unpadded(const Bytes& data, size_t width, bool unicode, int64_t count) {
  std::string out;
  for (int64_t i = 0; i < count; ++i) {
    const std::string_view cell = width == 0 ? std::string_view() : data.view().substr(i * width, width);
    std::string text;
    if (unicode) {
      for (size_t at = 0; at + 4 <= cell.size(); at += 4) {
        uint32_t c = 0;
        std::memcpy(&c, cell.data() + at, sizeof c);
        append_utf8(text, c);
      }
    } else {
      text = cell;
    }
    text.erase(text.find_last_not_of('\0') + 1);
    append_string(out, text);
  }
  return Bytes::copy_of(out);
}

/// The type as .npy headers write it, and its bytes.
std::string descr(DataType dtype, size_t string_width) {
  switch (dtype) {
    case DataType::kBool: return "|b1";
    case DataType::kUint8: return "|u1";
    case DataType::kUint16: return "<u2";
    case DataType::kUint32: return "<u4";
    case DataType::kUint64: return "<u8";
    case DataType::kInt8: return "|i1";
    case DataType::kInt16: return "<i2";
    case DataType::kInt32: return "<i4";
    case DataType::kInt64: return "<i8";
    case DataType::kFp16: return "<f2";
    case DataType::kFp64: return "<f8";
    case DataType::kBytes: return "|S" + std::to_string(string_width);
    default: return "<f4";
  }
}

std::string header_text(const std::string& dtype, const Shape& shape) {
  std::string sizes;
  for (const int64_t size : shape) sizes += std::to_string(size) + ", ";
  if (shape.size() > 1) sizes.resize(sizes.size() - 2);
  std::string dict = "{'descr': '" + dtype + "', 'fortran_order': False, 'shape': (" + sizes + "), }";
  dict.resize((dict.size() + 11 + 63) / 64 * 64 - 11, ' ');
  dict += '\n';
  std::string text(kMagic);
  text += '\x01';
  text += '\x00';
  const auto length = static_cast<uint16_t>(dict.size());
  text.append(reinterpret_cast<const char*>(&length), sizeof length);
  return text + dict;
}

/// Strings to cells of one width, which is returned.
size_t to_cells(const Bytes& strings, std::string& cells) {
  std::vector<std::string_view> found;
  size_t width = 1;
  std::string_view left = strings.view();
  while (left.size() >= sizeof(uint32_t)) {
    uint32_t length = 0;
    std::memcpy(&length, left.data(), sizeof length);
    left.remove_prefix(sizeof length);
    found.push_back(left.substr(0, length));
    left.remove_prefix(std::min<size_t>(length, left.size()));
    width = std::max(width, found.back().size());
  }
  for (const std::string_view text : found) {
    cells += text;
    cells.append(width - text.size(), '\0');
  }
  return width;
}

}  // namespace

bool is_npy(std::string_view bytes) { return bytes.starts_with(kMagic); }

Result<Tensor> parse_npy(const Bytes& file) {
  Bytes data;
  MM_ASSIGN_OR_RETURN(const Header header, read_header(file, data));
  const bool strings = header.kind == 'S' || header.kind == 'U';
  const DataType dtype = strings ? DataType::kBytes : numeric_dtype(header.kind, header.width);
  if (dtype == DataType::kInvalid) {
    return invalid_argument("the .npy file holds elements of the type '" + std::string(1, header.kind) +
                            std::to_string(header.width) + "'; booleans, integers, floats and strings are read");
  }
  const size_t unit = header.kind == 'U' ? 4 : header.width;  // what the byte order is about
  const size_t width = header.kind == 'U' ? 4 * header.width : header.width;
  const auto count = element_count(dims(header.shape));
  size_t expected = 0;
  if (!count || header.width > (size_t{1} << 30) ||
      __builtin_mul_overflow(static_cast<size_t>(*count), width, &expected) || expected != data.size() ||
      (width == 0 && *count > (int64_t{1} << 20))) {
    return broken("its header says shape " + shape_text(dims(header.shape)) + " of " + std::to_string(width) +
                  " bytes each, and " + std::to_string(data.size()) + " bytes follow");
  }
  Tensor tensor;
  tensor.dtype = dtype;
  tensor.shape = header.shape;
  if (header.byte_order == '>' && unit > 1 && !data.empty()) data = byte_swapped(data, unit);
  if (header.fortran_order && header.shape.size() > 1 && !data.empty()) data = to_row_major(data, header.shape, width);
  if (strings) {
    data = unpadded(data, width, header.kind == 'U', *count);
  } else if (reinterpret_cast<uintptr_t>(data.data()) % kAlignment != 0) {
    data = Bytes::copy_of(data.view());
  }
  tensor.data.push_back(std::move(data));
  return tensor;
}

Chunks write_npy(const Tensor& tensor) {
  Chunks out;
  if (tensor.dtype == DataType::kBytes) {
    std::string cells;
    const size_t width = to_cells(tensor.contiguous(), cells);
    out.push_back(Bytes::from_string(header_text(descr(tensor.dtype, width), tensor.shape)));
    out.push_back(Bytes::from_string(std::move(cells)));
    return out;
  }
  out.push_back(Bytes::from_string(header_text(descr(tensor.dtype, 0), tensor.shape)));
  if (tensor.dtype == DataType::kBf16) {
    const Result<Tensor> floats = cast_tensor(tensor, DataType::kFp32);
    for (const Bytes& chunk : floats.value().data) out.push_back(chunk);
    return out;
  }
  for (const Bytes& chunk : tensor.data) out.push_back(chunk);
  return out;
}

}  // namespace modelmill
