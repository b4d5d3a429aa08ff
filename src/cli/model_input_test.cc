#include "cli/model_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "cli/image_input.h"
#include "tensor/npy.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;

std::string png_of(const Image& image) {
  png_image png;
  std::memset(&png, 0, sizeof png);
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = image.channels == 1 ? PNG_FORMAT_GRAY : image.channels == 4 ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
  std::string out(1 << 16, '\0');
  png_alloc_size_t size = out.size();
  EXPECT_NE(png_image_write_to_memory(&png, out.data(), &size, 0, image.pixels.data(), 0, nullptr), 0) << png.message;
  out.resize(size);
  return out;
}

Image two_by_one() { return {2, 1, 3, {255, 0, 0, 0, 51, 255}}; }

TensorSpec input_of(DataType dtype, Shape shape) { return {"x", dtype, std::move(shape), {}, false}; }

Result<Tensor> tensor_of(const std::string& png, const TensorSpec& input) {
  MM_ASSIGN_OR_RETURN(const PredictBody body, predict_body(InputKind::kPng, png, {{input}, {}}));
  EXPECT_EQ(body.content_type, "application/x-npy");
  return parse_npy(Bytes::copy_of(body.bytes));
}

template <typename T>
std::vector<T> values_of(const Tensor& tensor) {
  const Bytes bytes = tensor.contiguous();
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST(InputKindTest, IsTakenFromTheNameOrTheBytes) {
  EXPECT_EQ(input_kind("a.json", ""), InputKind::kJson);
  EXPECT_EQ(input_kind("a.csv", ""), InputKind::kCsv);
  EXPECT_EQ(input_kind("a.npy", ""), InputKind::kNpy);
  EXPECT_EQ(input_kind("a.png", ""), InputKind::kPng);
  EXPECT_EQ(input_kind("a.txt", ""), InputKind::kText);
  EXPECT_EQ(input_kind("-", " \n[1]"), InputKind::kJson);
  EXPECT_EQ(input_kind("-", "{}"), InputKind::kJson);
  EXPECT_EQ(input_kind("-", "1,2\n"), InputKind::kCsv);
  EXPECT_EQ(input_kind("-", "\x93NUMPY\x01"), InputKind::kNpy);
  EXPECT_EQ(input_kind("-", png_of(two_by_one())), InputKind::kPng);
}

TEST(PredictBodyTest, DataGoesAsItIs) {
  const auto json = predict_body(InputKind::kJson, "[1]", {});
  EXPECT_EQ(json->content_type, "application/json");
  EXPECT_EQ(json->bytes, "[1]");
  EXPECT_EQ(predict_body(InputKind::kCsv, "1,2", {})->content_type, "text/csv");
  EXPECT_EQ(predict_body(InputKind::kNpy, "x", {})->content_type, "application/x-npy");
}

TEST(PredictBodyTest, TextIsOneString) {
  const Signature signature{{input_of(DataType::kBytes, {-1, 1})}, {}};
  const auto body = predict_body(InputKind::kText, "say \"hi\"\n", signature);
  ASSERT_TRUE(body.ok()) << body.status().to_string();
  EXPECT_EQ(body->bytes, R"([["say \"hi\""]])");
  const Signature numbers{{input_of(DataType::kFp32, {-1})}, {}};
  EXPECT_THAT(predict_body(InputKind::kText, "x", numbers).status().message(), HasSubstr("takes FP32, not text"));
}

TEST(PredictBodyTest, ModelsWithSeveralInputsNeedJson) {
  const Signature signature{{input_of(DataType::kFp32, {1}), {"y", DataType::kFp32, {1}, {}, false}}, {}};
  EXPECT_THAT(predict_body(InputKind::kPng, png_of(two_by_one()), signature).status().message(), HasSubstr("'x', 'y'"));
}

TEST(ImageInput, ChannelsFirstFloats) {
  const auto tensor = tensor_of(png_of(two_by_one()), input_of(DataType::kFp32, {-1, 3, -1, -1}));
  ASSERT_TRUE(tensor.ok()) << tensor.status().to_string();
  EXPECT_EQ(shape_text(dims(tensor->shape)), "[1,3,1,2]");
  EXPECT_EQ(values_of<float>(*tensor), (std::vector<float>{1, 0, 0, 0.2f, 0, 1}));
}

TEST(ImageInput, ChannelsLastBytes) {
  const auto tensor = tensor_of(png_of(two_by_one()), input_of(DataType::kUint8, {-1, -1, 2, 3}));
  ASSERT_TRUE(tensor.ok()) << tensor.status().to_string();
  EXPECT_EQ(shape_text(dims(tensor->shape)), "[1,1,2,3]");
  EXPECT_EQ(values_of<uint8_t>(*tensor), two_by_one().pixels);
}

TEST(ImageInput, GreyModelsGetGreyPixelsAndNoBatchDimensionIsAdded) {
  const auto tensor = tensor_of(png_of({1, 2, 1, {0, 255}}), input_of(DataType::kFp64, {1, 2, 1}));
  ASSERT_TRUE(tensor.ok()) << tensor.status().to_string();
  EXPECT_EQ(shape_text(dims(tensor->shape)), "[1,2,1]");
  EXPECT_EQ(values_of<double>(*tensor), (std::vector<double>{0, 1}));
}

TEST(ImageInput, IsResizedToWhatTheModelTakes) {
  const auto tensor = tensor_of(png_of({2, 2, 1, {0, 0, 255, 255}}), input_of(DataType::kUint8, {-1, 1, 1, 1}));
  ASSERT_TRUE(tensor.ok()) << tensor.status().to_string();
  EXPECT_EQ(values_of<uint8_t>(*tensor), (std::vector<uint8_t>{128}));
}

TEST(ImageInput, RefusesWhatIsNoImageInput) {
  const std::string png = png_of(two_by_one());
  EXPECT_THAT(tensor_of(png, input_of(DataType::kFp32, {-1, 10})).status().message(),
              HasSubstr("does not look like an image"));
  EXPECT_THAT(tensor_of(png, input_of(DataType::kFp32, {8, 3, 4, 4})).status().message(), HasSubstr("more than one"));
  EXPECT_THAT(tensor_of(png, input_of(DataType::kFp32, {1, 7, 4, 5})).status().message(), HasSubstr("channels"));
  EXPECT_THAT(tensor_of(png, input_of(DataType::kBytes, {1, 3, 4, 4})).status().message(), HasSubstr("no numbers"));
  EXPECT_THAT(tensor_of(png, input_of(DataType::kInt8, {1, 3, -1, -1})).status().message(), HasSubstr("takes INT8"));
}

TEST(ImageInput, ADamagedFileIsAnError) {
  const std::string png = png_of({16, 16, 3, std::vector<uint8_t>(16 * 16 * 3, 7)});
  const TensorSpec input = input_of(DataType::kFp32, {1, 3, -1, -1});
  EXPECT_THAT(tensor_of("not a png", input).status().message(), HasSubstr("cannot be read"));
  for (size_t length = 0; length + 12 < png.size(); ++length) {
    EXPECT_FALSE(tensor_of(png.substr(0, length), input).ok()) << length;
  }
}

TEST(ImageInput, AnImageBombIsRefusedBeforeItIsUnpacked) {
  std::string png = png_of(two_by_one());
  png.replace(16, 8, std::string("\x00\x0f\x00\x00\x00\x0f\x00\x00", 8));  // width and height in the header
  const auto image = decode_png(png, 3);
  ASSERT_FALSE(image.ok());  // by its checksum or by its size, but without the memory for it
}

TEST(ResizeBilinear, KeepsAFlatImageFlat) {
  const Image flat{7, 5, 3, std::vector<uint8_t>(7 * 5 * 3, 99)};
  for (const auto& [width, height] : {std::pair<int64_t, int64_t>{3, 2}, {7, 5}, {20, 31}, {1, 1}}) {
    const Image out = resize_bilinear(flat, width, height);
    EXPECT_EQ(out.pixels, std::vector<uint8_t>(static_cast<size_t>(width * height) * 3, 99));
  }
}

TEST(ReadInput, SaysWhichFileCannotBeRead) {
  const auto missing = read_input("/does/not/exist.json");
  EXPECT_EQ(missing.status().code(), Code::kNotFound);
  EXPECT_THAT(missing.status().message(), HasSubstr("'/does/not/exist.json' cannot be read: No such file"));
  EXPECT_EQ(read_input("/").status().code(), Code::kInvalidArgument);
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "read_input.bin";
  std::ofstream(path) << "abc";
  EXPECT_EQ(*read_input(path.string()), "abc");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace modelmill
