import { ReloadOutlined, UploadOutlined } from "@ant-design/icons";
import { Button } from "antd";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { api } from "../../api/client";
import { ids } from "../../api/names";
import { sampleAddress } from "../../api/queries";
import { useSpeech } from "../../i18n";
import { augmented, randomDraw, type Draw, type Kind, type Pixels } from "./augmentation";

const SIDE = 132;
const DRAWS = 4;

interface Props {
  kinds: readonly Kind[];
  chosen: readonly string[];
  /** `datasets/{dataset}/paths/{path}` whose first sample is looked at until a picture of one's own is chosen. */
  dataPath: string | undefined;
}

/** What each augmentation makes of a picture, in a few draws (W10). Nothing leaves the machine. */
export function AugmentationPreview({ kinds, chosen, dataPath }: Props): ReactNode {
  const { t } = useSpeech();
  const [pixels, setPixels] = useState<Pixels>();
  const [failed, setFailed] = useState(false);
  const [draws, setDraws] = useState<Draw[]>(() => Array.from({ length: DRAWS }, () => randomDraw()));
  const input = useRef<HTMLInputElement>(null);
  const own = useRef(false);

  const take = (source: CanvasImageSource, width: number, height: number) => {
    setPixels(shrunk(source, width, height));
    setFailed(false);
  };
  useEffect(() => {
    if (!dataPath || own.current) return;
    const [dataset = "", path = ""] = ids(dataPath);
    let wanted = true;
    api
      .get("/v1/datasets/{dataset}/paths/{path}/samples", { path: { dataset, path }, query: { pageSize: 1 } })
      .then(async ({ samples }) => {
        const sample = samples[0]?.file;
        if (!sample || !wanted) return;
        const image = new Image();
        image.crossOrigin = "anonymous";
        image.src = sampleAddress(dataPath, sample);
        await image.decode();
        // What was chosen meanwhile stays.
        if (!own.current) take(image, image.naturalWidth, image.naturalHeight);
      })
      .catch(() => undefined);
    return () => {
      wanted = false;
    };
  }, [dataPath]);
  const choose = async (file: File | undefined) => {
    if (!file) return;
    own.current = true;
    try {
      const picture = await createImageBitmap(file);
      take(picture, picture.width, picture.height);
    } catch {
      setFailed(true);
    }
  };
  return (
    <div
      onDragOver={(event) => {
        event.preventDefault();
      }}
      onDrop={(event) => {
        event.preventDefault();
        void choose(event.dataTransfer.files[0]);
      }}
    >
      <div className="row" style={{ marginBottom: 10 }}>
        <Button
          size="small"
          icon={<UploadOutlined />}
          onClick={() => {
            input.current?.click();
          }}
        >
          {t.wizard.ownPicture}
        </Button>
        <Button
          size="small"
          icon={<ReloadOutlined />}
          disabled={!pixels}
          onClick={() => {
            setDraws(Array.from({ length: DRAWS }, () => randomDraw()));
          }}
        >
          {t.wizard.drawAgain}
        </Button>
        <input
          ref={input}
          type="file"
          hidden
          accept="image/png,image/jpeg,image/bmp"
          aria-label={t.wizard.ownPicture}
          onChange={(event) => {
            void choose(event.target.files?.[0]);
          }}
        />
      </div>
      {failed && <p className="editor-told">{t.report.noPicture}</p>}
      {pixels ? (
        <div className="previews">
          <figure>
            <Picture pixels={pixels} label={t.wizard.unchanged} />
            <figcaption>{t.wizard.unchanged}</figcaption>
          </figure>
          {kinds.map((kind) => (
            <figure key={kind} className={chosen.includes(kind) ? "" : "preview-off"}>
              <div className="row" style={{ gap: 4 }}>
                {draws.map((draw, index) => (
                  <Picture
                    key={index}
                    pixels={augmented(pixels, kind, draw)}
                    label={`${t.wizard.augmentation[kind]} ${index + 1}`}
                  />
                ))}
              </div>
              <figcaption>
                <strong>{t.wizard.augmentation[kind]}</strong> · {t.wizard.augmentationHints[kind]}
              </figcaption>
            </figure>
          ))}
        </div>
      ) : (
        <p className="dim">{t.wizard.previewHint}</p>
      )}
    </div>
  );
}

function Picture({ pixels, label }: { pixels: Pixels; label: string }): ReactNode {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const made = new ImageData(pixels.width, pixels.height);
    made.data.set(pixels.data);
    canvas.current?.getContext("2d")?.putImageData(made, 0, 0);
  }, [pixels]);
  return <canvas ref={canvas} width={pixels.width} height={pixels.height} role="img" aria-label={label} />;
}

function shrunk(source: CanvasImageSource, width: number, height: number): Pixels {
  const scale = Math.min(1, SIDE / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const drawing = canvas.getContext("2d");
  drawing?.drawImage(source, 0, 0, canvas.width, canvas.height);
  return (
    drawing?.getImageData(0, 0, canvas.width, canvas.height) ?? { width: 1, height: 1, data: new Uint8ClampedArray(4) }
  );
}
