#include "repository/find_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

#include "base/testing/temp_folder.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<ModelFormat> kFoundFormats{
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
  const auto found = find_models({file}, kFoundFormats);
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
  const auto found = find_models({folder / "ocr/"}, kFoundFormats);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  ASSERT_THAT(names(*found), ElementsAre("ocr"));
  EXPECT_THAT(versions(found->models[0]), ElementsAre(1, 12));
  EXPECT_FALSE(found->models[0].in_repository);
  EXPECT_THAT(found->notes, ElementsAre(HasSubstr("0"), HasSubstr("leading zeros")));
}

TEST(FindModels, AFolderWithAConfigurationIsAModel) {
  const TempFolder folder;
  folder.write("m/config.pbtxt");
  const auto empty = find_models({folder / "m"}, kFoundFormats);
  ASSERT_TRUE(empty.ok());
  EXPECT_THAT(empty->models[0].versions, IsEmpty());
  folder.write("m/model.onnx");
  const auto beside = find_models({folder / "m"}, kFoundFormats);
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
  const auto found = find_models({folder.path()}, kFoundFormats);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  EXPECT_THAT(names(*found), ElementsAre("a", "b", "loose"));
  EXPECT_TRUE(found->models[0].in_repository);
  EXPECT_THAT(found->notes, ElementsAre(HasSubstr("docs")));
}

TEST(FindModels, TheSameModelTwiceIsOneButTwoOfOneNameAreThatModelsProblem) {
  const TempFolder folder;
  const std::string file = folder.write("x.onnx");
  folder.write("y.onnx");
  EXPECT_THAT(names(*find_models({file, folder.path()}, kFoundFormats)), ElementsAre("x", "y"));
  const std::string other = folder.write("other/x.onnx");
  const auto found = find_models({folder.path(), folder / "other"}, kFoundFormats);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  ASSERT_THAT(names(*found), ElementsAre("x", "y"));
  EXPECT_EQ(found->models[0].problem.code(), Code::kAlreadyExists);
  EXPECT_THAT(found->models[0].problem.message(),
              AllOf(HasSubstr("two models named 'x'"), HasSubstr(file), HasSubstr(other)));
  EXPECT_TRUE(found->models[1].problem.ok());
}

TEST(FindModels, ErrorsSayWhatWasExpected) {
  const TempFolder folder;
  EXPECT_THAT(find_models({folder / "no"}, kFoundFormats).status().message(), HasSubstr("there is no file or folder"));
  EXPECT_THAT(find_models({folder.make("empty")}, kFoundFormats).status().message(), HasSubstr("is empty"));
  EXPECT_THAT(find_models({folder.write("a.txt")}, kFoundFormats).status().message(),
              HasSubstr("known endings are: .onnx, .pt, .pt2"));
  folder.write("none/sub/file.txt");
  EXPECT_THAT(find_models({folder / "none"}, kFoundFormats).status().message(), HasSubstr("no model in folder"));
  EXPECT_THAT(find_models({"/dev/null"}, kFoundFormats).status().message(), HasSubstr("neither a file nor a folder"));
  EXPECT_THAT(find_models({folder.write("b.onnx")}, {}).status().message(),
              HasSubstr("model 'b' (file b.onnx) needs backend 'onnxruntime', which is not installed; put its plugin"));
  EXPECT_THAT(find_models({folder / "a.txt"}, {}).status().message(), HasSubstr("no backend that takes files"));
}

TEST(FindModels, ANameThatCannotBeServedIsThatModelsProblem) {
  const TempFolder folder;
  folder.write("good.onnx");
  folder.write("bad\nname.onnx");
  const auto found = find_models({folder.path()}, kFoundFormats);
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
  const auto found = find_models({folder / "repo"}, kFoundFormats);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  EXPECT_THAT(versions(found->models[0]), ElementsAre(4));
}

TEST(FindModels, ANameCanBeGiven) {
  const TempFolder folder;
  folder.write("mnt/models/model.onnx");
  folder.write("repo/a/1/model.onnx");
  folder.write("repo/a/config.pbtxt", "name: 'own'");
  folder.write("x=y.onnx");
  const auto found =
      find_models({"ocr=" + (folder / "mnt/models"), "b=" + (folder / "repo"), folder / "x=y.onnx"}, kFoundFormats);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  EXPECT_THAT(names(*found), ElementsAre("b", "ocr", "x=y"));
  EXPECT_EQ(found->models[1].versions[0].file, folder / "mnt/models/model.onnx");
  EXPECT_EQ(read_definition(found->models[0])->name, "b") << "the command line's word is the last";
  folder.write("repo/c/1/model.onnx");
  EXPECT_THAT(find_models({"b=" + (folder / "repo")}, kFoundFormats).status().message(),
              HasSubstr("there are 2 models at '" + (folder / "repo") + "', so they can't have one name"));
  EXPECT_THAT(find_models({"b=/nowhere"}, kFoundFormats).status().message(),
              HasSubstr("there is no file or folder '/nowhere'"));
  EXPECT_FALSE(find_models({"a/b=" + (folder / "mnt/models")}, kFoundFormats)->models[0].problem.ok());
}

TEST(FindModels, WhatNeedsAMissingBackendIsFoundWhenItIsAlone) {
  const TempFolder folder;
  folder.write("alone/net.plan");
  const auto alone = find_models({folder / "alone"}, kFoundFormats);
  ASSERT_TRUE(alone.ok()) << alone.status().to_string();
  ASSERT_THAT(names(*alone), ElementsAre("net"));
  EXPECT_THAT(alone->models[0].problem.message(),
              HasSubstr("model 'net' (file net.plan) needs backend 'tensorrt', which is not installed; export"));
  folder.write("alone/net2.onnx");
  const auto beside = find_models({folder / "alone"}, kFoundFormats);
  EXPECT_THAT(names(*beside), ElementsAre("net2"));
  EXPECT_THAT(beside->notes, ElementsAre(HasSubstr("net.plan' is passed over: it needs backend 'tensorrt'")));
}

TEST(FindModels, AConfigurationCanBeChosenByName) {
  const TempFolder folder;
  folder.write("a/1/model.onnx");
  folder.write("a/config.pbtxt", "max_batch_size: 1");
  folder.write("a/configs/h100.pbtxt", "max_batch_size: 2");
  folder.write("b/1/model.onnx");
  folder.write("b/config.pbtxt", "max_batch_size: 3");
  const auto found = find_models({folder.path()}, kFoundFormats, {"h100"});
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  EXPECT_EQ(read_definition(found->models[0])->max_batch_size, 2);
  EXPECT_EQ(read_definition(found->models[1])->max_batch_size, 3) << "where there is none of the name";
  EXPECT_EQ(read_definition(find_models({folder.path()}, kFoundFormats)->models[0])->max_batch_size, 1);
  EXPECT_FALSE(find_models({folder.path()}, kFoundFormats, {"../config"}).ok());
}

TEST(FindModels, WhatCannotBeReadIsThatModelsProblem) {
  constexpr uid_t kNobody = 65534;
  const TempFolder folder;
  folder.write("good/1/model.onnx");
  folder.write("locked/1/model.onnx");
  folder.make("lost+found");
  for (const char* name : {"locked", "lost+found"}) std::filesystem::permissions(folder / name, {});
  std::filesystem::permissions(folder.path(), std::filesystem::perms{0755});
  const uid_t user = ::geteuid();
  ASSERT_TRUE(user != 0 || ::seteuid(kNobody) == 0) << "root reads everything";
  const auto found = find_models({folder.path()}, kFoundFormats);
  ASSERT_TRUE(user != 0 || ::seteuid(user) == 0);
  for (const char* name : {"locked", "lost+found"})
    std::filesystem::permissions(folder / name, std::filesystem::perms::owner_all);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  ASSERT_THAT(names(*found), ElementsAre("good", "locked"));
  EXPECT_TRUE(found->models[0].problem.ok());
  EXPECT_EQ(found->models[1].problem.code(), Code::kPermissionDenied);
}

TEST(FindModels, ALinkToNowhereIsPassedOver) {
  const TempFolder folder;
  folder.write("good/1/model.onnx");
  std::filesystem::create_symlink(folder / "gone", folder / "link");
  std::filesystem::create_symlink(folder / "gone.onnx", folder / "link.onnx");
  EXPECT_THAT(names(*find_models({folder.path()}, kFoundFormats)), ElementsAre("good"));
}

TEST(FindModels, TensorFlowServingsVersionsMayHaveZerosInFront) {
  const TempFolder folder;
  folder.write("m/00000123/saved_model.pb");
  folder.write("m/7/saved_model.pb");
  const auto found = find_models({folder / "m"}, kFoundFormats);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  EXPECT_THAT(versions(found->models[0]), ElementsAre(7, 123));
  folder.write("m/007/saved_model.pb");
  const auto twice = find_models({folder / "m"}, kFoundFormats);
  EXPECT_THAT(twice->models[0].problem.message(), HasSubstr("two folders of version 7"));
  folder.write("m/8/model.onnx");
  EXPECT_THAT(versions(find_models({folder / "m"}, kFoundFormats)->models[0]), ElementsAre(7, 8)) << "Triton's";
}

}  // namespace
}  // namespace modelmill
