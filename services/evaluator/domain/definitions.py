"""The definition of every figure of a report (E1). `metrics.py` computes them.

RPCs, exports and the command line print these definitions; there are no others.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Definition:
    """A term and its meaning."""

    id: str
    term: str
    term_zh: str
    meaning: str
    meaning_zh: str


DEFINITIONS = (
    Definition(
        "accuracy",
        "accuracy",
        "准确率（总体）",
        "correct samples / all samples. The platform's 准确率: this overall, precision per code.",
        "判对的样本数 / 全部样本数。平台所说的“准确率”，总体指此值，按缺陷 code 则指精确率。",
    ),
    Definition(
        "precision",
        "precision of a code",
        "精确率（按 code 的准确率）",
        "of the samples predicted as the code, the share that truly is; undefined where there is none.",
        "预测为该 code 的样本中，真实为该 code 的比例；从未预测为该 code 时无定义。",
    ),
    Definition(
        "recall",
        "recall of a code",
        "召回率",
        "of the samples that truly have the code, the share predicted so; undefined where there is none.",
        "真实为该 code 的样本中，被预测为该 code 的比例；没有样本时无定义。",
    ),
    Definition(
        "f1",
        "F1",
        "F1",
        "harmonic mean of precision and recall.",
        "精确率与召回率的调和平均。",
    ),
    Definition(
        "macro",
        "macro",
        "宏平均",
        "mean over the codes that occur among the samples, each code counting the same however rare it is; "
        "the precision of a code that was never predicted counts as 0.",
        "对样本中出现的各 code 取平均，无论多么少见，权重相同；从未被预测的 code，精确率按 0 计。",
    ),
    Definition(
        "support",
        "support",
        "样本数",
        "samples that truly have the code.",
        "真实为该 code 的样本数。",
    ),
    Definition(
        "interval",
        "[low–high]",
        "[下限–上限]",
        "95 % Wilson score interval: with few samples a share proves little.",
        "95 % Wilson 置信区间：样本很少时，比例说明不了多少问题。",
    ),
    Definition(
        "majority_share",
        "majority",
        "多数类占比",
        "accuracy of always naming the commonest code: what any model must beat.",
        "始终预测最常见 code 时的准确率：任何模型都必须超过它。",
    ),
    Definition(
        "confusion",
        "confusion matrix",
        "混淆矩阵",
        "a row is the true code, a column the predicted one, a cell the number of samples.",
        "行为真实 code，列为预测 code，单元格为样本数。",
    ),
    Definition(
        "confidence",
        "confidence",
        "置信度",
        "how sure the model is of its prediction, from 0 to 1.",
        "模型对其预测的把握程度，取值 0 到 1。",
    ),
    Definition(
        "to_human",
        "to a human",
        "转人工",
        "share of the samples whose confidence is below the threshold. Precision and recall at a threshold "
        "take such predictions as not made; the accuracy there is that of the samples kept.",
        "置信度低于阈值的样本比例；某阈值下的精确率与召回率将这些预测视为未作出，总体准确率只针对保留的样本。",
    ),
    Definition(
        "iou",
        "IoU",
        "IoU（交并比）",
        "pixels of a code in both the true and the predicted mask / pixels in either, summed over samples "
        "whose truth is known pixel by pixel. Defect: any code against the background.",
        "某 code 在真实与预测掩膜中共有的像素 / 任一掩膜中的像素，先对所有有像素级标注的样本求和。"
        "“缺陷”指任意 code 相对于背景。",
    ),
    Definition(
        "mean_iou",
        "mean IoU",
        "平均 IoU",
        "mean IoU over the codes that occur in any mask, without the background.",
        "对任一掩膜中出现的各 code 的 IoU 取平均，不含背景。",
    ),
    Definition(
        "misjudged",
        "misjudged",
        "误判",
        "predicted as another code than the true one.",
        "预测 code 与真实 code 不同。",
    ),
    Definition(
        "nonconforming",
        "nonconforming",
        "不合规",
        "set aside by the resolution filter, or unreadable; in no other number.",
        "被分辨率过滤剔除或无法读取的样本；不计入任何其他数值。",
    ),
    Definition(
        "special",
        "special defect",
        "特殊缺陷",
        "a rare code outside the classifier's classes, found by a region of the segmentation network or by "
        "the distance of features; counted like any other.",
        "分类网络类别之外的少见 code，由分割网络的区域或特征距离判定；统计方式与其他 code 相同。",
    ),
)
