#include "cli/image_input.h"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/float16.h"

namespace modelmill {
namespace {

/// An image bomb must not take the machine's memory: 256 million pixels are a gigabyte.
constexpr uint64_t kMaxPixels = uint64_t{1} << 28;

bool is_channels(int64_t size) { return size == 1 || size == 3 || size == 4; }

/// Which source pixels make one target pixel along an axis, and their shares, which sum to 1.
struct Blend {
  int64_t first = 0;
  std::vector<float> shares;
};

std::vector<Blend> blends(int64_t source, int64_t target) {
  const double scale = static_cast<double>(source) / static_cast<double>(target);
  const double reach = std::max(scale, 1.0);  // half the width of the triangle over the source
  std::vector<Blend> all(static_cast<size_t>(target));
  for (int64_t i = 0; i < target; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale - 0.5;
    const auto first = std::max<int64_t>(0, static_cast<int64_t>(std::ceil(center - reach)));
    const auto last = std::min<int64_t>(source - 1, static_cast<int64_t>(std::floor(center + reach)));
    Blend& blend = all[static_cast<size_t>(i)];
    blend.first = first;
    double sum = 0;
    for (int64_t p = first; p <= last; ++p) sum += 1.0 - std::abs(static_cast<double>(p) - center) / reach;
    for (int64_t p = first; p <= last; ++p) {
      blend.shares.push_back(static_cast<float>((1.0 - std::abs(static_cast<double>(p) - center) / reach) / sum));
    }
  }
  return all;
}

/// Writes value(pixel) of every channel into `bytes` in the model's order.
template <typename T, typename Convert>
void fill(const Image& image, bool channels_first, std::byte* bytes, Convert convert) {
  T* out = reinterpret_cast<T*>(bytes);
  const auto area = static_cast<size_t>(image.width * image.height);
  const auto channels = static_cast<size_t>(image.channels);
  for (size_t pixel = 0; pixel < area; ++pixel) {
    for (size_t c = 0; c < channels; ++c) {
      const size_t at = channels_first ? c * area + pixel : pixel * channels + c;
      out[at] = convert(image.pixels[pixel * channels + c]);
    }
  }
}

}  // namespace

bool is_png(std::string_view bytes) { return bytes.substr(0, 8) == "\x89PNG\r\n\x1a\n"; }

Result<ImageLayout> guess_image_layout(const TensorSpec& input) {
  const Shape& shape = input.shape;
  const auto unlike = [&](const char* why) {
    return invalid_argument("input '" + input.name + "' of shape " + shape_text(dims(shape)) +
                            " does not look like an image: " + why +
                            "; a .npy or .json input says exactly what is meant");
  };
  if (input.dtype == DataType::kBytes || input.dtype == DataType::kBool) return unlike("it takes no numbers");
  if (shape.size() != 3 && shape.size() != 4) return unlike("expected [N,C,H,W] or [N,H,W,C]");
  ImageLayout layout;
  layout.has_batch = shape.size() == 4;
  if (layout.has_batch && shape[0] != -1 && shape[0] != 1) return unlike("it takes more than one at a time");
  const size_t at = layout.has_batch ? 1 : 0;
  const bool nothing_known = shape[at] == -1 && shape[at + 1] == -1 && shape[at + 2] == -1;
  if (is_channels(shape[at]) || nothing_known) {
    layout.channels = nothing_known ? 3 : shape[at];
    layout.height = shape[at + 1];
    layout.width = shape[at + 2];
    return layout;
  }
  if (!is_channels(shape[at + 2])) return unlike("no dimension has 1, 3 or 4 channels");
  layout.channels_first = false;
  layout.channels = shape[at + 2];
  layout.height = shape[at];
  layout.width = shape[at + 1];
  return layout;
}

Result<Image> decode_png(std::string_view file, int64_t channels) {
  png_image png;
  std::memset(&png, 0, sizeof png);
  png.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_memory(&png, file.data(), file.size()) == 0) {
    return invalid_argument(std::string("the PNG file cannot be read: ") + png.message);
  }
  if (uint64_t{png.width} * png.height > kMaxPixels) {
    const std::string size = std::to_string(png.width) + "x" + std::to_string(png.height);
    png_image_free(&png);
    return invalid_argument("the PNG file has " + size + " pixels; at most " + std::to_string(kMaxPixels) +
                            " in all are taken");
  }
  png.format = channels == 1 ? PNG_FORMAT_GRAY : channels == 4 ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
  Image image{png.width, png.height, channels, std::vector<uint8_t>(PNG_IMAGE_SIZE(png))};
  // What is transparent becomes white where the model takes no transparency.
  const png_color white = {255, 255, 255};
  if (png_image_finish_read(&png, &white, image.pixels.data(), 0, nullptr) == 0) {
    return invalid_argument(std::string("the PNG file is damaged: ") + png.message);
  }
  return image;
}

Image resize_bilinear(const Image& image, int64_t width, int64_t height) {
  const auto channels = static_cast<size_t>(image.channels);
  const std::vector<Blend> columns = blends(image.width, width);
  const std::vector<Blend> rows = blends(image.height, height);
  std::vector<float> narrowed(static_cast<size_t>(width * image.height) * channels);
  for (size_t y = 0; y < static_cast<size_t>(image.height); ++y) {
    const uint8_t* line = image.pixels.data() + y * static_cast<size_t>(image.width) * channels;
    for (size_t x = 0; x < columns.size(); ++x) {
      for (size_t c = 0; c < channels; ++c) {
        float sum = 0;
        for (size_t k = 0; k < columns[x].shares.size(); ++k) {
          sum += columns[x].shares[k] * line[(static_cast<size_t>(columns[x].first) + k) * channels + c];
        }
        narrowed[(y * columns.size() + x) * channels + c] = sum;
      }
    }
  }
  Image out{width, height, image.channels, std::vector<uint8_t>(static_cast<size_t>(width * height) * channels)};
  const size_t stride = columns.size() * channels;
  for (size_t y = 0; y < rows.size(); ++y) {
    for (size_t i = 0; i < stride; ++i) {
      float sum = 0;
      for (size_t k = 0; k < rows[y].shares.size(); ++k) {
        sum += rows[y].shares[k] * narrowed[(static_cast<size_t>(rows[y].first) + k) * stride + i];
      }
      out.pixels[y * stride + i] = static_cast<uint8_t>(std::clamp(std::lround(sum), 0L, 255L));
    }
  }
  return out;
}

Result<Tensor> image_tensor(const Image& image, const TensorSpec& input, const ImageLayout& layout) {
  Tensor tensor;
  tensor.name = input.name;
  tensor.dtype = input.dtype;
  if (layout.has_batch) tensor.shape.push_back(1);
  if (layout.channels_first) tensor.shape.push_back(image.channels);
  tensor.shape.push_back(image.height);
  tensor.shape.push_back(image.width);
  if (!layout.channels_first) tensor.shape.push_back(image.channels);
  MemoryRef memory = Memory::allocate(image.pixels.size() * dtype_size(input.dtype));
  std::byte* bytes = memory->data();
  const bool first = layout.channels_first;
  const auto share = [](uint8_t v) { return static_cast<float>(v) / 255.0f; };
  switch (input.dtype) {
    case DataType::kFp32: fill<float>(image, first, bytes, share); break;
    case DataType::kFp64: fill<double>(image, first, bytes, [](uint8_t v) { return v / 255.0; }); break;
    case DataType::kFp16:
      fill<uint16_t>(image, first, bytes, [&](uint8_t v) { return float_to_half(share(v)); });
      break;
    case DataType::kUint8: fill<uint8_t>(image, first, bytes, [](uint8_t v) { return v; }); break;
    case DataType::kInt16: fill<int16_t>(image, first, bytes, [](uint8_t v) { return v; }); break;
    case DataType::kUint16: fill<uint16_t>(image, first, bytes, [](uint8_t v) { return v; }); break;
    case DataType::kInt32: fill<int32_t>(image, first, bytes, [](uint8_t v) { return v; }); break;
    case DataType::kInt64: fill<int64_t>(image, first, bytes, [](uint8_t v) { return v; }); break;
    default:
      return invalid_argument("input '" + input.name + "' takes " + std::string(dtype_name(input.dtype)) +
                              ", which no image is turned into; give a .npy or .json input");
  }
  tensor.data.push_back(Bytes(std::move(memory)));
  return tensor;
}

}  // namespace modelmill
