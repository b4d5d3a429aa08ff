#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/signature.h"
#include "tensor/tensor.h"

namespace modelmill {

/// Pixels of 8 bits a channel, rows from the top, channels side by side.
struct Image {
  int64_t width = 0;
  int64_t height = 0;
  int64_t channels = 0;
  std::vector<uint8_t> pixels;
};

/// How a model wants an image: guessed from its input's shape, [N,C,H,W] or [N,H,W,C] with 1, 3 or 4 channels, with or
/// without N. Height and width are -1 where the model takes any.
struct ImageLayout {
  bool has_batch = false;
  bool channels_first = true;
  int64_t channels = 3;
  int64_t height = -1;
  int64_t width = -1;
};

bool is_png(std::string_view bytes);

/// INVALID_ARGUMENT says why `input` does not look like an image.
Result<ImageLayout> guess_image_layout(const TensorSpec& input);

/// Decodes a PNG to 1 (grey), 3 (RGB) or 4 (RGBA) channels, whatever it holds itself.
Result<Image> decode_png(std::string_view file, int64_t channels);

/// Bilinear; where the image shrinks every pixel counts, so that nothing is skipped.
Image resize_bilinear(const Image& image, int64_t width, int64_t height);

/// The image as the tensor that `input` asks for: floats from 0 to 1, integers from 0 to 255.
Result<Tensor> image_tensor(const Image& image, const TensorSpec& input, const ImageLayout& layout);

}  // namespace modelmill
