// Archives among the paths and in folders of models; unpacking itself is in storage/archive_cache_test.cc.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/testing/temp_folder.h"
#include "repository/archive_name.h"
#include "repository/find_models.h"

namespace modelmill {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<ModelFormat> kOnnxAlone{{"onnxruntime", "model.onnx", {".onnx"}}};

class FindArchivesTest : public testing::Test {
 protected:
  FindArchivesTest() {
    options_.open_archive = [this](const std::string& path) {
      ++opened_;
      return archives_.at(path);
    };
  }
  /// An archive whose content is already in a folder beside it.
  std::string archive(const std::string& name, const std::vector<std::string>& files) {
    const std::string path = folder_.write("store/" + name);
    const std::string stem = archive_stem(name.substr(name.rfind('/') + 1));
    const std::string folder = "unpacked/" + std::to_string(archives_.size()) + '/' + stem;
    for (const std::string& file : files) folder_.write(folder + '/' + file);
    archives_[path] = {folder_ / folder, std::make_shared<int>(1), {}};
    return path;
  }
  FoundModels find(const std::string& path) {
    auto found = find_models({path}, kOnnxAlone, options_);
    EXPECT_TRUE(found.ok()) << found.status().to_string();
    return found.ok() ? *std::move(found) : FoundModels();
  }
  static std::vector<std::string> names(const FoundModels& found) {
    std::vector<std::string> out;
    for (const FoundModel& model : found.models) out.push_back(model.name);
    return out;
  }

  const TempFolder folder_;
  FindOptions options_;
  std::map<std::string, LocalCopy> archives_;
  int opened_ = 0;
};

TEST_F(FindArchivesTest, KeepWhatTheyWereUnpackedTo) {
  const std::string path = archive("ocr.tar.gz", {"1/model.onnx", "config.pbtxt"});
  const auto found = find(path);
  ASSERT_THAT(names(found), ElementsAre("ocr"));
  const FoundModel& model = found.models[0];
  EXPECT_EQ(model.directory, archives_[path].path);
  EXPECT_THAT(model.archives, ElementsAre(path));
  EXPECT_THAT(model.held, ElementsAre(archives_[path].held));
  EXPECT_FALSE(model.in_repository);
}

TEST_F(FindArchivesTest, InAFolderOnlyThoseOfTorchServeAreModels) {
  archive("a.mar", {"net.onnx"});
  archive("backup.zip", {"other.onnx"});
  folder_.write("store/file.onnx");
  EXPECT_THAT(names(find(folder_ / "store")), ElementsAre("file", "net"));
  EXPECT_EQ(opened_, 1);
}

TEST_F(FindArchivesTest, AFolderOfOneArchiveIsThatArchive) {
  archive("models/ocr.tgz", {"model.onnx"});
  EXPECT_THAT(names(find(folder_ / "store/models")), ElementsAre("ocr"));
}

TEST_F(FindArchivesTest, AreNoModelsWhereTheyAreNotOpened) {
  const std::string path = archive("a.mar", {"net.onnx"});
  EXPECT_THAT(find_models({path}, kOnnxAlone).status().message(), HasSubstr("not a model file"));
}

TEST_F(FindArchivesTest, AProblemIsThatOfTheModelsThatWereInIt) {
  const std::string path = archive("a.zip", {"net.onnx"});
  archives_[path].problem = invalid_argument("it is damaged");
  const auto before = find(path);
  ASSERT_THAT(names(before), ElementsAre("net"));
  EXPECT_THAT(before.models[0].problem.message(), HasSubstr("it is damaged"));
  archives_[path].path.clear();
  const auto first = find(path);
  ASSERT_THAT(names(first), ElementsAre("a"));
  EXPECT_THAT(first.models[0].problem.message(), HasSubstr("it is damaged"));
}

TEST_F(FindArchivesTest, WhatCantBeLookedAtYetIsNoError) {
  const std::string path = archive("a.zip", {"net.onnx"});
  archives_[path] = {};
  EXPECT_THAT(find(path).models, IsEmpty());
}

TEST_F(FindArchivesTest, AnEmptyOneIsAProblemThatNamesIt) {
  const std::string path = archive("a.zip", {"README"});
  const auto found = find(path);
  ASSERT_THAT(names(found), ElementsAre("a"));
  EXPECT_THAT(found.models[0].problem.message(), AllOf(HasSubstr(path), HasSubstr("no model in folder")));
}

TEST_F(FindArchivesTest, AConfigurationInItStaysInIt) {
  const std::string path = archive("a.zip", {"net.onnx"});
  folder_.write("outside.onnx");
  for (const std::string& target : {folder_ / "outside.onnx", std::string("../../../outside.onnx")}) {
    folder_.write("unpacked/0/a/modelmill.yaml", "models: [{name: m, path: " + target + "}]");
    const auto found = find(path);
    ASSERT_EQ(found.models.size(), 1u);
    EXPECT_THAT(found.models[0].problem.message(), HasSubstr("leaves the archive")) << target;
  }
  folder_.write("unpacked/0/a/modelmill.yaml", "models: [{name: m, path: net.onnx}]");
  EXPECT_TRUE(find(path).models.at(0).problem.ok());
}

TEST_F(FindArchivesTest, VersionsInSeveralKeepAllOfThem) {
  for (const char* version : {"1.0", "2.0"}) {
    const std::string path = archive("net" + std::string(version) + ".mar", {"net.onnx"});
    folder_.write(archives_[path].path.substr(folder_.path().size() + 1) + "/MAR-INF/MANIFEST.json",
                  R"({"model": {"modelName": "net", "serializedFile": "net.onnx", "modelVersion": ")" +
                      std::string(version) + "\"}}");
  }
  const auto found = find(folder_ / "store");
  ASSERT_THAT(names(found), ElementsAre("net"));
  EXPECT_EQ(found.models[0].versions.size(), 2u);
  EXPECT_EQ(found.models[0].held.size(), 2u);
  EXPECT_EQ(found.models[0].archives.size(), 2u);
}

TEST(ArchiveName, EndsAsArchivesDo) {
  for (const char* name : {"a.mar", "a.zip", "a.tar", "a.tar.gz", "a.tgz"}) {
    EXPECT_TRUE(is_archive_name(name)) << name;
    EXPECT_EQ(archive_stem(name), "a");
  }
  for (const char* name : {"a.gz", ".zip", "zip", "a.onnx", ""}) EXPECT_FALSE(is_archive_name(name)) << name;
  EXPECT_EQ(archive_stem("a.b.tar.gz"), "a.b");
}

}  // namespace
}  // namespace modelmill
