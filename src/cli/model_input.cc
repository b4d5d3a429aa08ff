#include "cli/model_input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/json_text.h"
#include "cli/image_input.h"
#include "tensor/npy.h"

namespace modelmill {
namespace {

std::string size_text(int64_t width, int64_t height) { return std::to_string(width) + "x" + std::to_string(height); }

Result<const TensorSpec*> only_input(const Signature& signature, const char* what) {
  if (signature.inputs.size() == 1) return &signature.inputs.front();
  std::string names;
  for (const TensorSpec& input : signature.inputs) names += (names.empty() ? "'" : ", '") + input.name + "'";
  return invalid_argument(std::string(what) + " goes to models with one input; this one has " +
                          std::to_string(signature.inputs.size()) + " (" + names +
                          "): give a .json file with a value for each");
}

Result<PredictBody> image_body(const std::string& file, const Signature& signature) {
  MM_ASSIGN_OR_RETURN(const TensorSpec* input, only_input(signature, "an image"));
  MM_ASSIGN_OR_RETURN(const ImageLayout layout, guess_image_layout(*input));
  MM_ASSIGN_OR_RETURN(Image image, decode_png(file, layout.channels));
  std::string note = "image " + size_text(image.width, image.height);
  const int64_t width = layout.width > 0 ? layout.width : image.width;
  const int64_t height = layout.height > 0 ? layout.height : image.height;
  if (width != image.width || height != image.height) {
    image = resize_bilinear(image, width, height);
    note += ", resized to " + size_text(width, height);
  }
  MM_ASSIGN_OR_RETURN(const Tensor tensor, image_tensor(image, *input, layout));
  const char* channels = layout.channels == 1 ? "grey" : layout.channels == 4 ? "RGBA" : "RGB";
  note += std::string(", ") + channels +
          (dtype_name(input->dtype).substr(0, 2) == "FP" ? " from 0 to 1" : " from 0 to 255");
  note += ", as " + std::string(dtype_name(tensor.dtype)) + " " + shape_text(dims(tensor.shape)) +
          (layout.channels_first ? " (channels first)" : " (channels last)");
  PredictBody body{"application/x-npy", {}, std::move(note)};
  for (const Bytes& chunk : write_npy(tensor)) body.bytes += chunk.view();
  return body;
}

Result<PredictBody> text_body(std::string_view text, const Signature& signature) {
  MM_ASSIGN_OR_RETURN(const TensorSpec* input, only_input(signature, "text"));
  if (input->dtype != DataType::kBytes) {
    return invalid_argument("input '" + input->name + "' takes " + std::string(dtype_name(input->dtype)) +
                            ", not text; give a .json, .csv or .npy input");
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  // As many brackets as the input has dimensions, each of size 1.
  std::string json(input->shape.size(), '[');
  append_json_string(json, text);
  json.append(input->shape.size(), ']');
  return PredictBody{"application/json", std::move(json),
                     "text of " + std::to_string(text.size()) + " bytes, as one string"};
}

}  // namespace

InputKind input_kind(std::string_view path, std::string_view bytes) {
  if (path.ends_with(".json")) return InputKind::kJson;
  if (path.ends_with(".csv")) return InputKind::kCsv;
  if (path.ends_with(".npy")) return InputKind::kNpy;
  if (path.ends_with(".png")) return InputKind::kPng;
  if (path.ends_with(".txt")) return InputKind::kText;
  if (is_png(bytes)) return InputKind::kPng;
  if (is_npy(bytes)) return InputKind::kNpy;
  const size_t start = bytes.find_first_not_of(" \t\r\n");
  const char first = start == std::string_view::npos ? '\0' : bytes[start];
  return first == '{' || first == '[' ? InputKind::kJson : InputKind::kCsv;
}

Result<std::string> read_input(const std::string& path) {
  const auto failed = [&path](int error) {
    const std::string message = "input '" + path + "' cannot be read: " + std::strerror(error);
    return error == ENOENT ? not_found(message) : invalid_argument(message);
  };
  const bool standard = path == "-";
  const int fd = standard ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed(errno);
  std::string bytes;
  struct stat about {};
  if (::fstat(fd, &about) == 0 && S_ISREG(about.st_mode)) bytes.reserve(static_cast<size_t>(about.st_size) + 1);
  int error = 0;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n > 0) bytes.append(buffer, static_cast<size_t>(n));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) error = errno;
    if (n <= 0) break;
  }
  if (!standard) ::close(fd);
  if (error != 0) return failed(error);
  return bytes;
}

bool needs_signature(InputKind kind) { return kind == InputKind::kPng || kind == InputKind::kText; }

Result<PredictBody> predict_body(InputKind kind, std::string bytes, const Signature& signature) {
  switch (kind) {
    case InputKind::kPng: return image_body(bytes, signature);
    case InputKind::kText: return text_body(bytes, signature);
    case InputKind::kNpy: return PredictBody{"application/x-npy", std::move(bytes), {}};
    case InputKind::kCsv: return PredictBody{"text/csv", std::move(bytes), {}};
    case InputKind::kJson: break;
  }
  return PredictBody{"application/json", std::move(bytes), {}};
}

}  // namespace modelmill
