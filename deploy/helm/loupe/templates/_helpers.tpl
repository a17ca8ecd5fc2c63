{{- define "loupe.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}
{{- end }}

{{/* Labels that select the pods of a component: (list root component). */}}
{{- define "loupe.selector" -}}
app.kubernetes.io/name: loupe
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "loupe.labels" -}}
{{ include "loupe.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end }}

{{- define "loupe.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "loupe.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* What is the same in every pod: (list root values-of-the-process). */}}
{{- define "loupe.podCommon" -}}
{{- $root := index . 0 -}}
{{- $of := index . 1 -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "loupe.podSecurity" $root | nindent 2 }}
{{- with $root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $of.serviceAccount }}
serviceAccountName: {{ . }}
{{- end }}
{{- with $of.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $of.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $of.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* Settings of the object store, for every process but the gateway: (list root values-of-the-process). */}}
{{- define "loupe.objectStoreEnv" -}}
{{- $store := (index . 0).Values.objectStore -}}
{{- $of := index . 1 -}}
- name: LOUPE_S3_ENDPOINT
  value: {{ $store.endpoint | quote }}
{{- with $store.publicEndpoint }}
- name: LOUPE_S3_PUBLIC_ENDPOINT
  value: {{ . | quote }}
{{- end }}
- name: LOUPE_S3_BUCKET
  value: {{ $store.bucket | quote }}
- name: LOUPE_S3_REGION
  value: {{ $store.region | quote }}
- name: LOUPE_S3_SECURE
  value: {{ ternary "1" "0" $store.secure | quote }}
{{- if $store.webIdentity.audience }}
- name: LOUPE_S3_KEYS
  value: aws
- name: AWS_WEB_IDENTITY_TOKEN_FILE
  value: /run/loupe/identity/token
- name: AWS_ROLE_ARN
  value: {{ $of.objectRole | required "objectStore.webIdentity needs objectRole of every server and worker" | quote }}
- name: AWS_ROLE_SESSION_NAME
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
{{- with $store.webIdentity.stsEndpoint }}
- name: AWS_ENDPOINT_URL_STS
  value: {{ . | quote }}
{{- end }}
{{- else }}
- name: LOUPE_S3_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ $of.secret | required "workers: a secret with s3-access-key and s3-secret-key" }}
      key: s3-access-key
- name: LOUPE_S3_SECRET_KEY_FILE
  value: /run/loupe/secrets/s3-secret-key
{{- end }}
{{- end }}

{{- define "loupe.tlsEnv" -}}
{{- if .Values.tls }}
- name: LOUPE_TLS_CERTIFICATE
  value: /run/loupe/tls/tls.crt
- name: LOUPE_TLS_KEY
  value: /run/loupe/tls/tls.key
- name: LOUPE_TLS_AUTHORITY
  value: /run/loupe/tls/ca.crt
{{- end }}
{{- end }}

{{/* Addresses of servers: (list root names). gRPC resolves each to all its pods. */}}
{{- define "loupe.addresses" -}}
{{- $root := index . 0 -}}
{{- range index . 1 }}
- name: LOUPE_{{ upper . }}_ADDRESS
  value: {{ include "loupe.fullname" $root }}-{{ . }}:{{ include "loupe.port" . }}
{{- end }}
{{- end }}

{{- define "loupe.port" -}}
{{- get (dict "registry" "7101" "scheduler" "7102" "evaluator" "7103" "gateway" "8080" "trainer" "7104" "evaluator-worker" "7104" "meeting" "7105") . -}}
{{- end }}

{{- define "loupe.operationsEnv" -}}
- name: LOUPE_OPERATIONS_LISTEN
  value: 0.0.0.0:9090
{{- end }}

{{- define "loupe.extraEnv" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* A start may take as long as a migration; a process that hangs is started again. */}}
{{- define "loupe.probes" -}}
startupProbe:
  httpGet: {path: /readyz, port: operations}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 120
{{ include "loupe.lastingProbes" . }}
{{- end }}

{{- define "loupe.lastingProbes" -}}
readinessProbe:
  httpGet: {path: /readyz, port: operations}
  periodSeconds: 5
  timeoutSeconds: 3
livenessProbe:
  httpGet: {path: /livez, port: operations}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}

{{- define "loupe.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- if .secrets }}
- name: secrets
  mountPath: /run/loupe/secrets
  readOnly: true
{{- end }}
{{- if .tokens }}
- name: tokens
  mountPath: /run/loupe/tokens
  readOnly: true
{{- end }}
{{- if .tls }}
- name: tls
  mountPath: /run/loupe/tls
  readOnly: true
{{- end }}
{{- if .identity }}
- name: identity
  mountPath: /run/loupe/identity
  readOnly: true
{{- end }}
{{- end }}

{{/* Volumes: dict with secret, items, tokens (files of the tokens' Secret), root. Whole mounts, so that renewed
     files arrive. */}}
{{- define "loupe.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ .tmp | default "2Gi" }}
{{- if .items }}
- name: secrets
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items:
      {{- range .items }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end }}
{{- if .tokens }}
- name: tokens
  secret:
    secretName: {{ .root.Values.serviceTokens }}
    defaultMode: 0440
    items:
      {{- range .tokens }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end }}
{{- if and .root.Values.tls (ne .tls false) }}
- name: tls
  secret:
    secretName: {{ .root.Values.tls }}
    defaultMode: 0440
{{- end }}
{{- if .identity }}
# Who the pod is, for the object store alone: no token of the cluster's API.
- name: identity
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {path: token, audience: {{ .identity }}, expirationSeconds: 3600}
{{- end }}
{{- end }}
