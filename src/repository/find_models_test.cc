#include "repository/find_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repository/testing/temp_folder.h"

namespace modelmill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<ModelFormat> kFormats{
    {"onnxruntime", "model.onnx", {".onnx"}}, {"identity", "", {}}, {"pytorch", "model.pt", {".pt", ".pt2"}}};

std::vector<std::string> names(const FoundModels& found) {
  std::vector<std::string> out;
  for (const FoundModel& model : found.models) out.push_back(model.name);
  return out;
}

std::vector<int64_t> versions(const FoundModel& model) {
  std::vector<int64_t> out;
  for (const FoundVersion& version : model.versions) out.push_back(version.version);
  return out;
}

TEST(FindModels, AFileIsVersionOneOfItsStem) {
  const TempFolder folder;
  const std::string file = folder.write("digits.v2.onnx");
  const auto found = find_models({file}, kFormats);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  ASSERT_THAT(names(*found), ElementsAre("digits.v2"));
  const FoundModel& model = found->models[0];
  EXPECT_EQ(model.directory, "");
  EXPECT_EQ(model.config_file, "");
  ASSERT_EQ(model.versions.size(), 1U);
  EXPECT_EQ(model.versions[0].version, 1);
  EXPECT_EQ(model.versions[0].file, file);
  EXPECT_EQ(model.versions[0].directory, folder.path());
}

TEST(FindModels, AFolderWithNumbersIsAModel) {
  const TempFolder folder;
  folder.write("ocr/1/model.onnx");
  folder.write("ocr/12/model.onnx");
  folder.write("ocr/003/model.onnx");
  folder.write("ocr/0/model.onnx");
  folder.make("ocr/warmup");
  const auto found = find_models({folder / "ocr/"}, kFormats);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  ASSERT_THAT(names(*found), ElementsAre("ocr"));
  EXPECT_THAT(versions(found->models[0]), ElementsAre(1, 12));
  EXPECT_FALSE(found->models[0].in_repository);
  EXPECT_THAT(found->notes, ElementsAre(HasSubstr("0"), HasSubstr("leading zeros")));
}

TEST(FindModels, AFolderWithAConfigurationIsAModel) {
  const TempFolder folder;
  folder.write("m/config.pbtxt");
  const auto empty = find_models({folder / "m"}, kFormats);
  ASSERT_TRUE(empty.ok());
  EXPECT_THAT(empty->models[0].versions, IsEmpty());
  folder.write("m/model.onnx");
  const auto beside = find_models({folder / "m"}, kFormats);
  ASSERT_TRUE(beside.ok());
  EXPECT_THAT(versions(beside->models[0]), ElementsAre(1));
  EXPECT_EQ(beside->models[0].config_file, folder / "m/config.pbtxt");
}

TEST(FindModels, ARepositoryOfFoldersAndFiles) {
  const TempFolder folder;
  folder.write("b/1/model.onnx");
  folder.write("a/config.pbtxt");
  folder.write("a/2/model.onnx");
  folder.write("loose.onnx");
  folder.write("readme.md");
  folder.write(".git/1/model.onnx");
  folder.write("docs/index.html");
  const auto found = find_models({folder.path()}, kFormats);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  EXPECT_THAT(names(*found), ElementsAre("a", "b", "loose"));
  EXPECT_TRUE(found->models[0].in_repository);
  EXPECT_THAT(found->notes, ElementsAre(HasSubstr("docs")));
}

TEST(FindModels, TheSameModelTwiceIsOneButTwoOfOneNameAreAnError) {
  const TempFolder folder;
  const std::string file = folder.write("x.onnx");
  EXPECT_EQ(find_models({file, folder.path()}, kFormats)->models.size(), 1U);
  const std::string other = folder.write("other/x.onnx");
  const auto found = find_models({file, other}, kFormats);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.status().code(), Code::kAlreadyExists);
  EXPECT_THAT(found.status().message(), HasSubstr("two models named 'x'"));
}

TEST(FindModels, ErrorsSayWhatWasExpected) {
  const TempFolder folder;
  EXPECT_THAT(find_models({folder / "no"}, kFormats).status().message(), HasSubstr("there is no file or folder"));
  EXPECT_THAT(find_models({folder.make("empty")}, kFormats).status().message(), HasSubstr("is empty"));
  EXPECT_THAT(find_models({folder.write("a.txt")}, kFormats).status().message(),
              HasSubstr("known endings are: .onnx, .pt, .pt2"));
  folder.write("none/sub/file.txt");
  EXPECT_THAT(find_models({folder / "none"}, kFormats).status().message(), HasSubstr("no model in folder"));
  EXPECT_THAT(find_models({"/dev/null"}, kFormats).status().message(), HasSubstr("neither a file nor a folder"));
  EXPECT_THAT(find_models({folder.write("b.onnx")}, {}).status().message(), HasSubstr("no backend"));
}

TEST(FindModels, ANameThatCannotBeServedIsThatModelsProblem) {
  const TempFolder folder;
  folder.write("good.onnx");
  folder.write("bad\nname.onnx");
  const auto found = find_models({folder.path()}, kFormats);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->models.size(), 2U);
  EXPECT_FALSE(found->models[0].problem.ok());
  EXPECT_TRUE(found->models[1].problem.ok());
}

TEST(FindModels, ALinkIsFollowed) {
  const TempFolder folder;
  folder.write("store/abc/model.onnx");
  folder.make("repo/m");
  std::filesystem::create_symlink(folder / "store/abc", folder / "repo/m/4");
  const auto found = find_models({folder / "repo"}, kFormats);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  EXPECT_THAT(versions(found->models[0]), ElementsAre(4));
}

}  // namespace
}  // namespace modelmill
