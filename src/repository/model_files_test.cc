#include "repository/model_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/temp_folder.h"

namespace modelmill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<ModelFormat> kFormats{
    {"onnxruntime", "model.onnx", {".onnx"}}, {"identity", "", {}}, {"pytorch", "model.pt", {".pt"}}};
const ModelFormat& kOnnx = kFormats[0];

ModelDefinition named(const std::string& name) {
  ModelDefinition d;
  d.name = name;
  return d;
}

std::vector<int64_t> numbers(const VersionChoice& choice) {
  std::vector<int64_t> out;
  for (const FoundVersion& version : choice.versions) out.push_back(version.version);
  return out;
}

TEST(ChooseVersions, Policies) {
  const std::vector<FoundVersion> found{{1, "a", ""}, {2, "b", ""}, {10, "c", ""}};
  EXPECT_THAT(numbers(choose_versions({}, found)), ElementsAre(10));
  EXPECT_THAT(numbers(choose_versions({VersionPolicy::Kind::kLatest, 2, {}}, found)), ElementsAre(2, 10));
  EXPECT_THAT(numbers(choose_versions({VersionPolicy::Kind::kLatest, 9, {}}, found)), ElementsAre(1, 2, 10));
  EXPECT_THAT(numbers(choose_versions({VersionPolicy::Kind::kAll, 1, {}}, found)), ElementsAre(1, 2, 10));
  const auto specific = choose_versions({VersionPolicy::Kind::kSpecific, 1, {1, 3, 10}}, found);
  EXPECT_THAT(numbers(specific), ElementsAre(1, 10));
  EXPECT_THAT(specific.missing, ElementsAre(3));
}

TEST(ReadDefinition, NamesMustMatchInARepositoryOnly) {
  const TempFolder folder;
  FoundModel model{"folder", folder.path(), folder.write("config.pbtxt", "name: 'other'"), {}, true, {}};
  EXPECT_THAT(read_definition(model).status().message(),
              HasSubstr("unexpected directory name 'folder' for model 'other', directory name must equal model name"));
  model.in_repository = false;
  EXPECT_EQ(read_definition(model)->name, "other");
  folder.write("config.pbtxt", "max_batch_size: 4");
  EXPECT_EQ(read_definition(model)->name, "folder");
  folder.write("config.pbtxt", "name: 'a/b'");
  EXPECT_FALSE(read_definition(model).ok());
  folder.write("config.pbtxt", "nmae: 'x'");
  EXPECT_THAT(read_definition(model).status().message(),
              HasSubstr("config.pbtxt:1:1: unknown field 'nmae' in ModelConfig; did you mean 'name'?"));
}

TEST(InferBackend, FromTheDefinitionTheNameOrTheFolder) {
  const TempFolder folder;
  const FoundVersion version{1, folder.make("1"), ""};
  ModelDefinition d = named("m");
  EXPECT_THAT(infer_backend(d, version, kFormats).status().message(),
              HasSubstr("looked for model.onnx, model.pt; the folder is empty"));
  folder.write("1/weights.bin");
  EXPECT_THAT(infer_backend(d, version, kFormats).status().message(), HasSubstr("found 'weights.bin'"));
  folder.write("1/net.pt");
  EXPECT_EQ(*infer_backend(d, version, kFormats), "pytorch");
  folder.write("1/net.onnx");
  EXPECT_THAT(infer_backend(d, version, kFormats).status().message(),
              HasSubstr("several model files ('net.onnx', 'net.pt')"));
  folder.write("1/model.onnx");
  EXPECT_EQ(*infer_backend(d, version, kFormats), "onnxruntime");
  d.default_model_filename = "net.pt";
  EXPECT_EQ(*infer_backend(d, version, kFormats), "pytorch");
  d.default_model_filename = "net.bin";
  EXPECT_THAT(infer_backend(d, version, kFormats).status().message(),
              HasSubstr("no backend is known for the file 'net.bin'"));
  d.platform = "caffe2_netdef";
  EXPECT_THAT(infer_backend(d, version, kFormats).status().message(), HasSubstr("unknown platform 'caffe2_netdef'"));
  d.backend = "mine";
  EXPECT_EQ(*infer_backend(d, version, kFormats), "mine");
  EXPECT_EQ(*infer_backend(named("m"), {1, folder.path(), folder / "x.onnx"}, kFormats), "onnxruntime");
}

TEST(FindModelFile, UsualNamedOrOnlyOne) {
  const TempFolder folder;
  const FoundVersion version{1, folder.make("1"), ""};
  ModelDefinition d = named("m");
  EXPECT_THAT(find_model_file(d, version, kOnnx).status().message(), HasSubstr("no file 'model.onnx' in"));
  EXPECT_EQ(*find_model_file(d, version, {"identity", "", {}}), "");
  folder.write("1/a.onnx");
  EXPECT_EQ(*find_model_file(d, version, kOnnx), folder / "1/a.onnx");
  folder.write("1/b.onnx");
  EXPECT_THAT(find_model_file(d, version, kOnnx).status().message(), HasSubstr("several model files"));
  d.default_model_filename = "b.onnx";
  EXPECT_EQ(*find_model_file(d, version, kOnnx), folder / "1/b.onnx");
  d.default_model_filename = "c.onnx";
  EXPECT_THAT(find_model_file(d, version, kOnnx).status().message(), HasSubstr("does not exist"));
  for (const char* outside : {"../a.onnx", "/etc/passwd", "x/../../a.onnx"}) {
    d.default_model_filename = outside;
    EXPECT_FALSE(find_model_file(d, version, kOnnx).ok()) << outside;
  }
}

TEST(ReadLabels, OneNameALine) {
  const TempFolder folder;
  ModelDefinition d = named("m");
  d.outputs.push_back({"y", DataType::kFp32, {2}, false, false, std::nullopt, "labels.txt"});
  EXPECT_THAT(read_labels(d, folder.path()).status().message(), HasSubstr("labels of output 'y'"));
  folder.write("labels.txt", "cat\r\na dog\n\nbird");
  const auto labels = read_labels(d, folder.path());
  ASSERT_TRUE(labels.ok()) << labels.status().to_string();
  EXPECT_THAT(labels->at("y"), ElementsAre("cat", "a dog", "", "bird"));
  d.outputs[0].label_filename = "../labels.txt";
  EXPECT_FALSE(read_labels(d, folder.path()).ok());
}

TEST(ReadFile, HoldsItsLimit) {
  const TempFolder folder;
  const std::string path = folder.write("f", "12345");
  EXPECT_EQ(*read_file(path, 5), "12345");
  EXPECT_FALSE(read_file(path, 4).ok());
  EXPECT_FALSE(read_file(folder / "none", 4).ok());
}

}  // namespace
}  // namespace modelmill
