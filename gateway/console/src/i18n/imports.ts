/** The words of reports of imports, apart from the others: no other page loads them. */
import type { Language } from "./index";

type Kind =
  | "KIND_UNSPECIFIED"
  | "KIND_REJECTED"
  | "KIND_LEFT_OUT"
  | "KIND_PART_LEFT_OUT"
  | "KIND_DOUBTFUL"
  | "KIND_DUPLICATE";

const zh = {
  titleOfOne: (path: string) => `导入报告：${path}`,
  titleOf: (path: string) => `${path} 的导入报告`,
  none: "该数据路径还没有导入报告。",
  kept: "每个数据路径保留最近 20 次导入的报告。",
  imported: "导入时间",
  by: "导入人",
  folder: "文件夹",
  format: "格式",
  files: "文件",
  filesText: (found: string, used: string, left: string) => `共 ${found} 个，已使用 ${used} 个，未使用 ${left} 个`,
  samples: "样本",
  samplesText: (count: string, added: string, unchanged: string, replaced: string, rejected: string) =>
    `提交 ${count} 个：新增 ${added}，已存在 ${unchanged}，已替换 ${replaced}，未接受 ${rejected}`,
  taken: "新增或替换",
  rejected: "未接受",
  masks: "掩膜",
  groups: "分组",
  groupsText: (count: string, column: string) => `${count}（来自 ${column}）`,
  noGroups: "无",
  bytes: "数据量",
  bytesText: (all: string, sent: string) => `${all}，本次上传 ${sent}`,
  bits: "有效位数",
  bitsText: (bits: number) => `16 位中的 ${bits} 位`,
  deepQuestion: (file: string) => `有 16 位图片（如 ${file}）。其灰度值有多少位有效？`,
  allBits: "全部 16 位，按原样导入",
  fewBits: (bits: number) => `${bits} 位`,
  allBitsHint: "按原样导入时 0 为黑，65535 为白；若相机位数较少，图片会很暗。",
  bitsByCommand: (bits: number) =>
    `浏览器解码图片只保留 8 位，无法精确换算，因此控制台不能按 ${bits} 位导入。请改用命令导入：`,
  bitsOfPath: (bits: number, file: string) =>
    `该数据路径的有效位数为 16 位中的 ${bits} 位，而浏览器无法精确换算：16 位图片（如 ${file}）将被拒绝（OTHER_BITS），` +
    "其余图片照常导入。请用命令导入 16 位图片：",
  lines: "条目",
  linesKept: (kept: string, all: string) => `共 ${all} 条，仅保留前 ${kept} 条；完整列表见导入时命令的 --json 输出。`,
  allTaken: "所有文件均已导入，没有存疑的内容。",
  noMatch: "没有符合条件的条目。",
  kind: "类别",
  allKinds: "全部类别",
  allReasons: "全部原因",
  fileContains: "文件名包含",
  reasonCode: "原因",
  message: "说明",
  picture: "图片",
  download: (kind: string) => `下载 ${kind}`,
  kinds: {
    KIND_UNSPECIFIED: "",
    KIND_REJECTED: "未接受",
    KIND_LEFT_OUT: "未使用",
    KIND_PART_LEFT_OUT: "部分标注未采用",
    KIND_DOUBTFUL: "已导入，存疑",
    KIND_DUPLICATE: "已导入，有重复",
  } as Record<Kind, string>,
  reasons: {
    UNREADABLE: "浏览器无法打开该文件；请检查权限后重新选择文件夹",
    HIDDEN: "隐藏文件，或位于隐藏文件夹中",
    NAME_TAKEN: "另一个文件夹中有同名文件，将以同一名称导入；请将其中一个改名",
    NO_CODE: "图片不在缺陷 code 文件夹中；请移入其 code 对应的文件夹",
    OTHER_FORMAT: "不支持该图片格式；请另存为 PNG",
    NOT_AN_IMAGE: "按文件名不是 JPEG、PNG、BMP 或 TIFF 文件",
    AMBIGUOUS_MASK: "看起来是掩膜，但不清楚属于哪张图片；每张图片请只保留一个同名掩膜",
    TOO_LARGE: "文件超过 64 MiB；请缩小文件，或将其移出该文件夹",
  } as Record<string, string>,
  samePixels: (others: string) =>
    `同一图片也以 ${others} 存在于同一 code 下；划分时视为同一分组：请只保留其中一个`,
  sameCode: (others: string) => `同一图片也在另一 code 下：${others}；两者必有一误`,
  samePath: (others: string) => `同一图片也在其他数据路径中：${others}`,
};

const en: typeof zh = {
  titleOfOne: (path) => `Import report: ${path}`,
  titleOf: (path) => `Imports into ${path}`,
  none: "No import into this path was reported yet.",
  kept: "The reports of a path's last 20 imports are kept.",
  imported: "Imported",
  by: "Imported by",
  folder: "Folder",
  format: "Format",
  files: "Files",
  filesText: (found, used, left) => `${found} found, ${used} used, ${left} not used`,
  samples: "Samples",
  samplesText: (count, added, unchanged, replaced, rejected) =>
    `${count} offered: ${added} added, ${unchanged} there already, ${replaced} replaced, ${rejected} refused`,
  taken: "New or replaced",
  rejected: "Refused",
  masks: "Masks",
  groups: "Groups",
  groupsText: (count, column) => `${count}, from ${column}`,
  noGroups: "none",
  bytes: "Bytes",
  bytesText: (all, sent) => `${all}, ${sent} sent`,
  bits: "Significant bits",
  bitsText: (bits) => `${bits} of 16`,
  deepQuestion: (file) =>
    `There are pictures of 16 bits, such as ${file}. How many bits of a grey value are significant?`,
  allBits: "All 16, imported as they are",
  fewBits: (bits) => `${bits}`,
  allBitsHint: "As they are, 0 is black and 65,535 is white; pictures of a camera with fewer bits are dark then.",
  bitsByCommand: (bits) =>
    `Browsers decode pictures to 8 bits and cannot scale them exactly, so the console cannot import ${bits} bits. ` +
    "Import the folder with the command:",
  bitsOfPath: (bits, file) =>
    `Of 16 bits, ${bits} are significant in this data path, and browsers cannot scale pictures exactly: those of ` +
    `16 bits, such as ${file}, will be refused (OTHER_BITS), and the others imported. Import them with the command:`,
  lines: "Lines",
  linesKept: (kept, all) => `The first ${kept} of ${all} lines are kept; the command's --json has all of them.`,
  allTaken: "Every file was taken, and nothing is doubtful.",
  noMatch: "No line matches the filter.",
  kind: "What became of it",
  allKinds: "Everything",
  allReasons: "All reasons",
  fileContains: "File name contains",
  reasonCode: "Reason",
  message: "Explanation",
  picture: "Picture",
  download: (kind) => `Download ${kind}`,
  kinds: {
    KIND_UNSPECIFIED: "",
    KIND_REJECTED: "refused",
    KIND_LEFT_OUT: "not used",
    KIND_PART_LEFT_OUT: "part of an annotation not used",
    KIND_DOUBTFUL: "taken, doubtful",
    KIND_DUPLICATE: "taken, duplicate",
  },
  reasons: {
    UNREADABLE: "the browser cannot open the file; check its permissions and choose the folder again",
    HIDDEN: "a hidden file, or one in a hidden folder",
    NAME_TAKEN: "another folder has a file of this name, which would be imported under the same one; rename one",
    NO_CODE: "an image outside of a code's folder; move it into the folder of its code",
    OTHER_FORMAT: "a picture of a format that is not taken; save it as PNG",
    NOT_AN_IMAGE: "not a JPEG, PNG, BMP or TIFF file by its name",
    AMBIGUOUS_MASK: "it looks like a mask, and of which picture is not clear; leave one mask of each picture's name",
    TOO_LARGE: "the file is larger than 64 MiB; make it smaller, or move it out of the folder",
  },
  samePixels: (others) =>
    `the same picture is there as ${others} too, under the same code; the split takes them for one group: ` +
    "remove all but one",
  sameCode: (others) => `the same picture lies under another code: ${others}; one of the two is wrong`,
  samePath: (others) => `the same picture lies in another data path: ${others}`,
};

export type ImportWords = typeof zh;

export const importWords: Record<Language, ImportWords> = { zh, en };
